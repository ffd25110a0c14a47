import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { readLines } from "./read-lines.js";

const LINES_AT_A_TIME = 500;
const STREAMS = ["results", "failures"] as const;

export interface CompactDeps {
  readonly supersededCount: () => Promise<number>;
  readonly startDropping: () => Promise<void>;
  /** Of these lines' requests, in the file's order: whether a later line has replaced this one. */
  readonly drop: (stream: OutcomeStream, requests: readonly string[]) => Promise<boolean[]>;
  readonly compacting: (position: SinkPosition) => Promise<void>;
  readonly compacted: (position: SinkPosition) => Promise<void>;
}

/**
 * Brings both files back to one line a request, the last, in memory that does not grow with them. The copies are complete
 * before Redis is told and take their place after it; a crash in between is finished by `finishCompaction`.
 */
export async function compact(folder: string, deps: CompactDeps): Promise<void> {
  if ((await deps.supersededCount()) === 0) return;
  await deps.startDropping();
  const position: Record<string, number> = {};
  for (const stream of STREAMS) position[stream] = await copyLastLines(folder, stream, deps);
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
    if (isWaiting) await rename(copy, join(folder, STREAM_FILES[stream]));
  }
  await compacted(position);
}

/** @returns the copy's length in bytes */
async function copyLastLines(folder: string, stream: OutcomeStream, deps: CompactDeps): Promise<number> {
  const copy = await open(copyPath(folder, stream), "w");
  try {
    let length = 0;
    let lines: string[] = [];
    const flush = async () => {
      const drops = await deps.drop(stream, lines.map(requestOfLine));
      const kept = Buffer.from(lines.flatMap((line, i) => (drops[i] ? [] : [`${line}\n`])).join(""));
      await copy.write(kept);
      length += kept.length;
      lines = [];
    };
    for await (const { text } of readLines(join(folder, STREAM_FILES[stream]))) {
      lines.push(text);
      if (lines.length >= LINES_AT_A_TIME) await flush();
    }
    if (lines.length > 0) await flush();
    await copy.datasync();
    return length;
  } finally {
    await copy.close();
  }
}

function copyPath(folder: string, stream: OutcomeStream): string {
  return join(folder, `.${STREAM_FILES[stream]}.compact`);
}

/** Empty for a line that is none of ours: nothing replaces it, so it stays. */
function requestOfLine(line: string): string {
  try {
    return (JSON.parse(line) as { request: string }).request;
  } catch {
    return "";
  }
}
