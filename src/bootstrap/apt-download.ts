import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Environment, type RunResult, runProgram } from "./programs.js";
import { findServerIn, type RedisServer, RouteFailure } from "./server-program.js";

interface AptOptions {
  readonly env: Environment;
  /** Everything is written under here; nothing on the system changes. */
  readonly cacheFolder: string;
  readonly report: (message: string) => void;
}

/** Redis first: its data goes back and forth between versions more easily. Some distributions have only Valkey. */
const FAMILIES = ["redis", "valkey"];
const TIMEOUT_MS = 180_000;
/** The C library must fit the loader, which is the system's. */
const NEVER_UNPACKED = /^libc6|^libc-/;

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

function libraryFolders(root: string): readonly string[] {
  return ["usr/lib", "lib"].flatMap((name) => {
    const folder = join(root, name);
    try {
      const architectures = readdirSync(folder).filter((entry) => entry.includes("-linux-"));
      return [...architectures.map((entry) => join(folder, entry)), folder];
    } catch {
      return [];
    }
  });
}

interface Apt {
  update(): Promise<RunResult>;
  /** Downloads the packages and unpacks them into the folder. */
  unpack(packages: readonly string[], folder: string): Promise<RunResult>;
  /** The libraries that a package needs, directly or not. */
  libraries(packageName: string, which: "not installed" | "all"): Promise<readonly string[]>;
}

function createApt(work: string, env: Environment, signal: AbortSignal): Apt {
  rmSync(work, { recursive: true, force: true });
  const debs = join(work, "debs");
  for (const folder of [debs, join(work, "state/lists/partial"), join(work, "cache/archives/partial")]) {
    mkdirSync(folder, { recursive: true });
  }
  const configFile = join(work, "apt.conf");
  writeFileSync(configFile, aptConfig(work));
  const run = (program: string, ...args: string[]) =>
    runProgram(program, args, { env: { ...env, LC_ALL: "C" }, signal, timeoutMs: TIMEOUT_MS, cwd: debs });
  const dependencies = async (...args: string[]) =>
    (await run("apt-cache", "-c", configFile, "depends", ...MUST_HAVES, ...args)).stdout.split("\n");

  return {
    update: () => run("apt-get", "-c", configFile, "-q", "update"),
    unpack: async (packages, folder) => {
      const downloaded = await run("apt-get", "-c", configFile, "-q", "download", ...packages);
      if (!downloaded.ok) return downloaded;
      let result = downloaded;
      for (const deb of readdirSync(debs).filter((name) => name.endsWith(".deb"))) {
        if (result.ok) result = await run("dpkg", "-x", join(debs, deb), folder);
        rmSync(join(debs, deb));
      }
      return result;
    },
    libraries: async (packageName, which) => {
      const direct = (await dependencies(packageName)).flatMap((line) => /Depends: (lib\S+)/.exec(line)?.[1] ?? []);
      const all = (await dependencies("--recurse", ...direct)).filter((line) => /^lib/.test(line));
      const installed = which === "all" ? new Set<string>() : await installedPackages(run);
      return all.filter((name) => !NEVER_UNPACKED.test(name) && !installed.has(name));
    },
  };
}

const MUST_HAVES = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(
  (kind) => `--no-${kind}`,
);

async function installedPackages(run: (program: string, ...args: string[]) => Promise<RunResult>) {
  const listed = await run("dpkg", "--get-selections");
  return new Set(listed.stdout.split("\n").flatMap((line) => /^([^\s:]+)\S*\s+install$/.exec(line)?.[1] ?? []));
}

/**
 * State and cache of its own, and none of the hooks that other software hangs on an update. The index is kept in a file:
 * containers often switch that off, and then each call makes it anew.
 */
function aptConfig(work: string): string {
  return `Dir::State "${work}/state";
Dir::State::Lists "${work}/state/lists";
Dir::Cache "${work}/cache";
Dir::Cache::Archives "${work}/cache/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Debug::NoLocking "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;
}
