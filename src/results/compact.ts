import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SinkError } from "../domain/errors.js";
import type { OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES, STREAMS } from "./ndjson-sink.js";
import { readLines } from "./read-lines.js";
import { replaceFile } from "./write-whole.js";

const LINES_AT_A_TIME = 500;

export interface CompactDeps {
  readonly position: () => Promise<SinkPosition | null>;
  readonly supersededCount: () => Promise<number>;
  readonly startDropping: () => Promise<void>;
  /** Of these lines' requests, in the file's order: whether a later line has replaced this one. */
  readonly drop: (stream: OutcomeStream, requests: readonly string[]) => Promise<boolean[]>;
  readonly compacting: (position: SinkPosition) => Promise<void>;
  readonly compacted: (position: SinkPosition) => Promise<void>;
}

/**
 * Brings both files back to one line a request, the last, in memory that does not grow with them. Nobody may write
 * meanwhile. The copies are complete before Redis is told and take their place after it; a crash in between is finished by
 * `finishCompaction`.
 * @throws SinkError `sink-unavailable` where there is no room for the copies; the files are then as they were
 */
export async function compact(folder: string, deps: CompactDeps): Promise<void> {
  const committed = await deps.position();
  if (committed === null || (await deps.supersededCount()) === 0) return;
  await deps.startDropping();
  const position: Record<string, number> = {};
  for (const stream of STREAMS) position[stream] = await copyLastLines(folder, stream, committed, deps);
  await deps.compacting(position);
  await finishCompaction(folder, position, deps);
}

/** Puts complete copies in their place, as far as that has not happened yet. */
export async function finishCompaction(
  folder: string,
  position: SinkPosition,
  { compacted }: Pick<CompactDeps, "compacted">,
): Promise<void> {
  for (const stream of STREAMS) {
    const copy = copyPath(folder, stream);
    const isWaiting = await stat(copy).then(
      () => true,
      () => false,
    );
    if (isWaiting) await replaceFile(copy, join(folder, STREAM_FILES[stream]));
  }
  await compacted(position);
}

/** @returns the copy's length in bytes */
async function copyLastLines(
  folder: string,
  stream: OutcomeStream,
  committed: SinkPosition,
  deps: CompactDeps,
): Promise<number> {
  const path = copyPath(folder, stream);
  const copy = await open(path, "w").catch((error: NodeJS.ErrnoException) => {
    throw new SinkError("sink-unavailable", `${folder} cannot be compacted (${error.code})`);
  });
  try {
    let length = 0;
    let lines: string[] = [];
    const flush = async () => {
      length += await append(copy, folder, await lastOnes(stream, lines, deps));
      lines = [];
    };
    for await (const { text } of readLines(join(folder, STREAM_FILES[stream]), committed[stream] ?? 0)) {
      lines.push(text);
      if (lines.length >= LINES_AT_A_TIME) await flush();
    }
    await flush();
    await copy.datasync();
    return length;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
}

async function lastOnes(stream: OutcomeStream, lines: readonly string[], deps: CompactDeps): Promise<string> {
  if (lines.length === 0) return "";
  const drops = await deps.drop(stream, lines.map(requestOfLine));
  return lines.flatMap((line, i) => (drops[i] === true ? [] : [`${line}\n`])).join("");
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
