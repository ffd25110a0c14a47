import { renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Apt, createApt, libraryFolders } from "./apt.js";
import type { Environment } from "./programs.js";
import { findServerIn, type RedisServer, RouteFailure } from "./server-program.js";

interface AptOptions {
  readonly env: Environment;
  /** Everything is written under here; nothing on the system changes. */
  readonly cacheFolder: string;
  readonly report: (message: string) => void;
}

/** Redis first: its data goes back and forth between versions more easily. Some distributions have only Valkey. */
const FAMILIES = ["redis", "valkey"];

/**
 * Brings the distribution's own Redis without root: apt with lists and cache of its own downloads the packages, dpkg
 * unpacks them into the cache folder. Must run under the cache folder's lock.
 * @throws the signal's reason when it is aborted
 */
export async function downloadWithApt(options: AptOptions, signal: AbortSignal): Promise<RedisServer | RouteFailure> {
  const unpacked = join(options.cacheFolder, "server");
  const present = await findUnpacked(unpacked, options, signal);
  if (!(present instanceof RouteFailure)) return present;

  options.report("downloading redis-server with apt (no root needed, nothing is installed) …");
  const work = join(options.cacheFolder, "download");
  const apt = createApt(work, options.env, signal);
  const updated = await apt.update();
  let failure = new RouteFailure("");
  for (const family of FAMILIES) {
    const folder = join(work, family);
    const server = await unpackFamily(family, folder, { apt, options, signal });
    if (server instanceof RouteFailure) {
      failure = new RouteFailure(`${failure.reason}${family}: ${server.reason}; `);
      continue;
    }
    rmSync(unpacked, { recursive: true, force: true });
    renameSync(folder, unpacked);
    rmSync(work, { recursive: true, force: true });
    return findUnpacked(unpacked, options, signal);
  }
  rmSync(work, { recursive: true, force: true });
  return new RouteFailure(`${failure.reason}${updated.problem}`.replace(/; $/, ""));
}

interface Unpacking {
  readonly apt: Apt;
  readonly options: AptOptions;
  readonly signal: AbortSignal;
}

/** The two packages are mostly enough; libraries that the machine lacks are added, first those not installed, then all. */
async function unpackFamily(family: string, folder: string, { apt, options, signal }: Unpacking) {
  const fetched = await apt.unpack([`${family}-server`, `${family}-tools`], folder);
  if (!fetched.ok) return new RouteFailure(fetched.problem);
  let server = await findUnpacked(folder, options, signal);
  for (const which of ["not installed", "all"] as const) {
    if (!(server instanceof RouteFailure)) return server;
    const libraries = await apt.libraries(`${family}-tools`, which);
    if (libraries.length > 0) await apt.unpack(libraries, folder);
    server = await findUnpacked(folder, options, signal);
  }
  return server;
}

function findUnpacked(folder: string, { env, cacheFolder }: AptOptions, signal: AbortSignal) {
  return findServerIn(join(folder, "usr/bin"), {
    env,
    signal,
    linkFolder: join(cacheFolder, "bin"),
    libraryPath: libraryFolders(folder).join(delimiter),
    how: "downloaded with apt",
  });
}
