// @ts-check
// Plain JavaScript with types in comments: scripts/ uses it before anything is installed or built.
//
// A lock between processes that a killed holder cannot leave behind. Breaking a dead holder's lock by removing its file
// would race: of two who saw it dead, the slower removes the lock that the faster just took. So nothing is broken here:
// `path.1`, `path.2`, … are generations, the highest one counts, and who finds it dead or released creates the next,
// which the file system lets exactly one do. A latecomer may create a generation that others have passed and cleared
// away since; it sees the higher one and steps back. The highest is never removed, not even on release.
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, pidOf, processMark } from "./process-mark.mjs";

const RELEASED = "released";
const POLL_MS = 30;
const WORTH_TELLING_MS = 1000;
/** Who creates a generation writes its mark at once; an empty file older than this was left by one killed in between. */
const UNMARKED_MS = 2000;

/**
 * Waits until this process holds the lock. Not re-entrant.
 * @param {string} path made into files `path.<generation>` in a folder that exists
 * @param {{ signal?: AbortSignal, onWait?: (holderPid: number) => void }} [options] `onWait` is called once, when it has
 *   waited for a second
 * @returns {Promise<() => void>} releases it
 * @throws the signal's reason when it is aborted while waiting
 */
export async function acquireLock(path, { signal, onWait } = {}) {
  const mark = processMark(process.pid);
  if (mark === null) throw new Error("this process cannot see itself among the running ones");
  const since = performance.now();
  for (let told = false; ; ) {
    signal?.throwIfAborted();
    const highest = highestGeneration(path);
    const holder = holderOf(`${path}.${highest}`);
    if (holder === null) {
      if (takeGeneration(path, highest + 1, mark)) return () => release(`${path}.${highest + 1}`);
      continue;
    }
    if (!told && holder !== "" && performance.now() - since > WORTH_TELLING_MS) {
      told = true;
      onWait?.(pidOf(holder));
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** @param {string} path */
function generations(path) {
  const prefix = `${basename(path)}.`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)));
}

/** @param {string} path */
function highestGeneration(path) {
  return Math.max(0, ...generations(path));
}

/**
 * @param {string} file
 * @returns {string | null} the mark of the process that holds it, empty while it is being written; null when nobody does
 */
function holderOf(file) {
  try {
    const content = readFileSync(file, "utf8");
    if (content === "") return Date.now() - statSync(file).mtimeMs < UNMARKED_MS ? "" : null;
    return content !== RELEASED && isRunning(content) ? content : null;
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
}

/**
 * @param {string} path
 * @param {number} generation
 * @param {string} mark
 */
function takeGeneration(path, generation, mark) {
  const file = `${path}.${generation}`;
  try {
    const handle = openSync(file, "wx", 0o600);
    writeSync(handle, mark);
    closeSync(handle);
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
  if (highestGeneration(path) > generation) {
    rmSync(file, { force: true });
    return false;
  }
  for (const older of generations(path)) if (older < generation) rmSync(`${path}.${older}`, { force: true });
  return true;
}

/** @param {string} file */
function release(file) {
  try {
    const handle = openSync(file, "r+");
    ftruncateSync(handle);
    writeSync(handle, RELEASED, 0);
    closeSync(handle);
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function isCode(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
