// Programs that only tests and demos want: on PATH, or brought from Debian's packages into .cache, without root.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createApt, libraryFolders } from "../dist/bootstrap/apt.js";
import { acquireLock } from "../src/bootstrap/file-lock.mjs";

const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const TIMEOUT_MS = 240_000;
/** What could not be brought is not tried again by every test that wants it. */
const AGAIN_MS = 600_000;

/**
 * @param {import("./bring.mjs").Wanted} wanted
 * @returns {Promise<import("./bring.mjs").Brought | null>} null: it is not here and cannot be brought
 */
export async function bring(wanted) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const here = findIn([...folders, ...wanted.folders("/")], wanted, process.env);
  if (here !== null || process.platform !== "linux") return here;
  mkdirSync(CACHE, { recursive: true });
  const release = await acquireLock(join(CACHE, `${wanted.name}-lock`));
  try {
    return findUnpacked(join(CACHE, wanted.name), wanted) ?? (await download(wanted));
  } finally {
    release();
  }
}

async function download(wanted) {
  const failed = join(CACHE, `${wanted.name}-failed`);
  if (existsSync(failed) && Date.now() - statSync(failed).mtimeMs < AGAIN_MS) return null;
  console.error(`downloading ${wanted.name} with apt for tests and demos (no root needed, nothing is installed) …`);
  const work = join(CACHE, `${wanted.name}-download`);
  const apt = createApt(work, process.env, AbortSignal.timeout(TIMEOUT_MS));
  const root = join(work, "root");
  const isThere = await unpack(apt, root, wanted).catch(() => false);
  const kept = join(CACHE, wanted.name);
  rmSync(kept, { recursive: true, force: true });
  if (isThere) renameSync(root, kept);
  else writeFileSync(failed, "");
  rmSync(work, { recursive: true, force: true });
  return isThere ? findUnpacked(kept, wanted) : null;
}

/** The libraries that it lacks are added, first those of packages that are not installed, then all. */
async function unpack(apt, root, wanted) {
  await apt.update();
  const packages = await wanted.packages(apt);
  if (!(await apt.unpack(packages, root)).ok) return false;
  for (const which of ["not installed", "all"]) {
    if (findUnpacked(root, wanted) !== null) return true;
    const needed = await Promise.all(packages.map((name) => apt.libraries(name, which)));
    const libraries = new Set(needed.flat());
    if (libraries.size > 0) await apt.unpack([...libraries], root);
  }
  return findUnpacked(root, wanted) !== null;
}

function findUnpacked(root, wanted) {
  const env = { ...process.env, LD_LIBRARY_PATH: libraryFolders(root).join(delimiter) };
  return findIn(wanted.folders(root), wanted, { ...env, ...wanted.env?.(root) });
}

/** The first folder with one of the programs, that runs. */
function findIn(folders, { programs }, env) {
  const files = folders.flatMap((folder) => programs.map((name) => join(folder, name)));
  const file = files.find((each) => existsSync(each) && runs(each, env));
  return file === undefined ? null : { file, folder: dirname(file), env };
}

function runs(file, env) {
  return spawnSync(file, ["--version"], { env, stdio: "ignore" }).status === 0;
}
