import { createReadStream } from "node:fs";

/** One complete line of a file, with where it starts. */
export interface FileLine {
  readonly text: string;
  /** Bytes up to and including the line's end. */
  readonly end: number;
}

/** The complete lines of a file in order, in bounded memory; a last line without its end is not given. No file, no lines. */
export async function* readLines(path: string): AsyncGenerator<FileLine> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  const chunks = createReadStream(path, { highWaterMark: 1 << 18 });
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

/** The lines' JSON objects; what is none, such as a line edited by hand, is passed over. */
export async function* readObjects<T>(path: string): AsyncGenerator<Partial<T>> {
  for await (const { text } of readLines(path)) {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) yield value;
    } catch {
      // Passed over.
    }
  }
}
