import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, type RunResult, runProgram } from "./programs.js";

const TIMEOUT_MS = 180_000;
/** The C library must fit the loader, which is the system's. */
const NEVER_UNPACKED = /^libc6|^libc-/;

/** What the distribution has, without root: apt with lists and a cache of its own, below a folder that it empties first. */
export interface Apt {
  update(): Promise<RunResult>;
  /** Downloads the packages and unpacks them into the folder. */
  unpack(packages: readonly string[], folder: string): Promise<RunResult>;
  /** What a package needs directly, such as the newest version of what it stands for. */
  depends(packageName: string): Promise<readonly string[]>;
  /** The libraries that a package needs, directly or not; the C library is never among them. */
  libraries(packageName: string, which: "not installed" | "all"): Promise<readonly string[]>;
}

/** @param work a folder for nothing else */
export function createApt(work: string, env: Environment, signal: AbortSignal): Apt {
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
    depends: async (packageName) => namesIn(await dependencies(packageName)),
    libraries: async (packageName, which) => {
      const direct = namesIn(await dependencies(packageName)).filter((name) => name.startsWith("lib"));
      const all = (await dependencies("--recurse", ...direct)).filter((line) => /^lib/.test(line));
      const installed = which === "all" ? new Set<string>() : await installedPackages(run);
      return all.filter((name) => !NEVER_UNPACKED.test(name) && !installed.has(name));
    },
  };
}

function namesIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /Depends: ([^\s<]\S*)/.exec(line)?.[1] ?? []);
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

/** Where the libraries are that were unpacked below a folder: for LD_LIBRARY_PATH. */
export function libraryFolders(root: string): readonly string[] {
  return ["usr/lib", "lib"].flatMap((name) => {
    const folder = join(root, name);
    try {
      const architectures = readdirSync(folder).filter((entry) => entry.includes("-linux-"));
      const own = architectures.map((entry) => join(folder, entry));
      return [...own, ...own.flatMap(privateFolders), folder];
    } catch {
      return [];
    }
  });
}

/** Some packages keep libraries that are theirs alone one folder deeper, and name that by its place on the system. */
function privateFolders(folder: string): readonly string[] {
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const paths = inner.map(({ name }) => join(folder, name));
  return paths.filter((path) => readdirSync(path).some((name) => name.includes(".so")));
}
