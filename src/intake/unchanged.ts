import { stat } from "node:fs/promises";
import type { FileMarks, FileState } from "../domain/file-state.js";
import { referenceText } from "../domain/payload.js";
import { type Listed, type Roots, toReference } from "./source.js";

/** Files looked at together. */
const CHUNK = 256;
/** A file that is written to again within the grain of its file system's clock looks as it did. */
const GRAIN_MS = 20;
const COARSE_GRAIN_MS = 2000;

export interface PassOverDeps {
  readonly marks: FileMarks;
  readonly roots: Roots;
  readonly digestName: (name: string) => string;
  readonly onUnchanged: () => void;
  readonly now: () => number;
}

/** Leaves out what has been read as it is now. Asks the file system about each file whose listing says nothing of it, and opens none. */
export async function* passOverUnchanged(
  list: AsyncIterable<Listed>,
  deps: PassOverDeps,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  let chunk: Listed[] = [];
  for await (const listed of list) {
    chunk.push(listed);
    if (chunk.length < CHUNK) continue;
    yield* changedOf(chunk, deps);
    chunk = [];
    signal.throwIfAborted();
  }
  yield* changedOf(chunk, deps);
}

async function* changedOf(chunk: readonly Listed[], deps: PassOverDeps): AsyncGenerator<Listed> {
  const states = await Promise.all(chunk.map((listed) => stateOf(listed, deps)));
  const known = await deps.marks.areKnown(states.filter((state) => state !== null));
  let at = 0;
  for (const [i, listed] of chunk.entries()) {
    const state = states[i] ?? null;
    if (state !== null && known[at++] === true) deps.onUnchanged();
    else yield { ...listed, state };
  }
}

async function stateOf(listed: Listed, { roots, digestName, now }: PassOverDeps): Promise<FileState | null> {
  if (listed.problem !== null) return null;
  const stamped = listed.stamp === undefined ? await stampOf(listed.path, now()) : asListed(listed.stamp);
  if (stamped === null) return null;
  return { name: JSON.stringify([referenceText(toReference(listed.path, roots), digestName), listed.ref]), ...stamped };
}

type Stamped = Pick<FileState, "stamp" | "isFresh">;

/** An object of a bucket has another ETag with other bytes, however soon. */
function asListed(stamp: string | null): Stamped | null {
  return stamp === null ? null : { stamp, isFresh: false };
}

async function stampOf(path: string, nowMs: number): Promise<Stamped | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  if (found === null) return null;
  const { size, mtimeNs, ino } = found;
  const grainMs = mtimeNs % 1_000_000_000n === 0n ? COARSE_GRAIN_MS : GRAIN_MS;
  return { stamp: `${size} ${mtimeNs} ${ino}`, isFresh: Number(mtimeNs / 1_000_000n) > nowMs - grainMs };
}
