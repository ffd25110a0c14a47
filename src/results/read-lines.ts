import { createReadStream } from "node:fs";
import { type OutcomeRecord, recordSchema } from "../domain/record.js";

/** One complete line of a file, with where it ends. */
export interface FileLine {
  readonly text: string;
  /** Bytes up to and including the line's end. */
  readonly end: number;
}

/**
 * The complete lines of a file in order, in memory that grows with its longest line alone; a last line without its end is
 * not given. No file, no lines.
 * @param to where to stop @default the file's end
 * @param from where a line begins
 */
export async function* readLines(path: string, to = Number.POSITIVE_INFINITY, from = 0): AsyncGenerator<FileLine> {
  if (to <= from) return;
  let rest: Buffer = Buffer.alloc(0);
  let offset = from;
  const chunks = createReadStream(path, { highWaterMark: 1 << 18, start: from, end: to - 1 });
  try {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
        yield { text: rest.toString("utf8", start, end), end: offset + end + 1 };
        start = end + 1;
      }
      rest = rest.subarray(start);
      offset += start;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  } finally {
    chunks.destroy();
  }
}

/** How many complete lines a file has. No file, no lines. */
export async function countLines(path: string): Promise<number> {
  let lines = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, end + 1)) lines++;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return lines;
}

/** The outcomes that a file's lines hold; what is none, such as a line edited by hand, is passed over. */
export async function* readRecords(path: string): AsyncGenerator<OutcomeRecord> {
  for await (const { text } of readLines(path)) {
    const record = parseRecord(text);
    if (record !== null) yield record;
  }
}

/** Null: no outcome as this version knows it. */
export function parseRecord(line: string): OutcomeRecord | null {
  try {
    return recordSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
