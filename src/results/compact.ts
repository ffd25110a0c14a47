import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SinkError } from "../domain/errors.js";
import { OUTCOME_STREAMS, type OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { type FileLine, readLines } from "./read-lines.js";
import { replaceFile } from "./write-whole.js";

const LINES_AT_A_TIME = 500;

export type Cursors = Readonly<Record<string, SinkPosition>>;

export interface CompactDeps {
  readonly position: () => Promise<SinkPosition | null>;
  readonly supersededCount: () => Promise<number>;
  readonly startDropping: () => Promise<void>;
  /** Of these lines' requests, in the file's order: whether a later line has replaced this one. */
  readonly drop: (stream: OutcomeStream, requests: readonly string[]) => Promise<boolean[]>;
  /** How far each sink that follows the files has got. */
  readonly cursors: () => Promise<Cursors>;
  readonly compacting: (position: SinkPosition, cursors: Cursors) => Promise<void>;
  readonly compacted: (position: SinkPosition) => Promise<void>;
}

/**
 * Brings both files back to one line a request, the last, in memory that does not grow with them. Nobody may write
 * meanwhile. The copies are complete before Redis is told and take their place after it; a crash in between is finished by
 * `finishCompaction`. Sinks that follow the files stand after the same lines as before.
 * @throws SinkError `sink-unavailable` where there is no room for the copies; the files are then as they were
 */
export async function compact(folder: string, deps: CompactDeps): Promise<void> {
  const committed = await deps.position();
  if (committed === null || (await deps.supersededCount()) === 0) return;
  await deps.startDropping();
  const cursors = Object.entries(await deps.cursors());
  const position: Record<string, number> = {};
  const moved = Object.fromEntries(cursors.map(([id, cursor]) => [id, { ...cursor } as Record<string, number>]));
  for (const stream of OUTCOME_STREAMS) {
    const marks = cursors.map(([, cursor]) => cursor[stream] ?? 0);
    const { length, before } = await copyLastLines(folder, stream, { length: committed[stream] ?? 0, marks }, deps);
    position[stream] = length;
    for (const [i, [id]] of cursors.entries()) Object.assign(moved[id] ?? {}, { [stream]: before[i] });
  }
  await deps.compacting(position, moved);
  await finishCompaction(folder, position, deps);
}

/** Puts complete copies in their place, as far as that has not happened yet. */
export async function finishCompaction(
  folder: string,
  position: SinkPosition,
  { compacted }: Pick<CompactDeps, "compacted">,
): Promise<void> {
  for (const stream of OUTCOME_STREAMS) {
    const copy = copyPath(folder, stream);
    const isWaiting = await stat(copy).then(
      () => true,
      () => false,
    );
    if (isWaiting) await replaceFile(copy, join(folder, STREAM_FILES[stream]));
  }
  await compacted(position);
}

/**
 * @param of how much of the file counts, and marks within it
 * @returns the copy's length in bytes, and how much of it comes from before each mark
 */
async function copyLastLines(
  folder: string,
  stream: OutcomeStream,
  of: { readonly length: number; readonly marks: readonly number[] },
  deps: CompactDeps,
): Promise<{ readonly length: number; readonly before: readonly number[] }> {
  const path = copyPath(folder, stream);
  const copy = await open(path, "w").catch((error: NodeJS.ErrnoException) => {
    throw new SinkError("sink-unavailable", `${folder} cannot be compacted (${error.code})`);
  });
  try {
    let length = 0;
    const before = of.marks.map(() => 0);
    let lines: FileLine[] = [];
    const flush = async () => {
      const last = await lastOnes(stream, lines, deps);
      for (const [i, mark] of of.marks.entries()) {
        const its = last.filter(({ end }) => end <= mark);
        before[i] = (before[i] ?? 0) + its.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
      }
      length += await append(copy, folder, last.map(({ text }) => `${text}\n`).join(""));
      lines = [];
    };
    for await (const line of readLines(join(folder, STREAM_FILES[stream]), of.length)) {
      lines.push(line);
      if (lines.length >= LINES_AT_A_TIME) await flush();
    }
    await flush();
    await copy.datasync();
    return { length, before };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
}

async function lastOnes(stream: OutcomeStream, lines: readonly FileLine[], deps: CompactDeps): Promise<FileLine[]> {
  if (lines.length === 0) return [];
  const requests = lines.map(({ text }) => requestOfLine(text));
  const drops = await deps.drop(stream, requests);
  return lines.filter((_, i) => drops[i] !== true);
}

/** @returns how many bytes were written: all of them */
async function append(copy: FileHandle, folder: string, text: string): Promise<number> {
  const bytes = Buffer.from(text);
  await copy.appendFile(bytes).catch((error: NodeJS.ErrnoException) => {
    throw new SinkError("sink-unavailable", `${folder} has no room to be compacted (${error.code})`);
  });
  return bytes.length;
}

function copyPath(folder: string, stream: OutcomeStream): string {
  return join(folder, `.${STREAM_FILES[stream]}.compact`);
}

/** Empty for a line that is none of ours: nothing replaces it, so it stays. */
function requestOfLine(line: string): string {
  try {
    const { request } = JSON.parse(line) as { request?: unknown };
    return typeof request === "string" ? request : "";
  } catch {
    return "";
  }
}
