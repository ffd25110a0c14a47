import { createReadStream } from "node:fs";
import { UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";

/** Longest line, and longest record of a CSV, that is looked at. @unit characters */
export const MAX_LINE_LENGTH = 64 * 1024;

/** Ends that files of any system have; a lone carriage return counts only once it is known what follows. */
const LINE_END = /\r\n|\n|\r(?=[^\n])/;

/** A line of a text file, without its end. */
export interface TextLine {
  /** Its first `MAX_LINE_LENGTH + 1` characters. */
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
}

/**
 * The lines of a text file that are not blank, in memory that does not grow with the file or a line. A byte order mark is
 * dropped; bytes that the encoding does not have become U+FFFD.
 * @param encoding a WHATWG label such as `utf-8` or `gb18030`
 * @throws UsageError when the file cannot be read
 */
export async function* readTextLines(path: string, encoding: string, signal: AbortSignal): AsyncGenerator<TextLine> {
  let number = 0;
  let rest = "";
  for await (const text of readText(path, encoding, signal)) {
    const lines = (rest + text).split(LINE_END);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      number++;
      if (line.trim() !== "") yield { text: line.slice(0, MAX_LINE_LENGTH + 1), number };
    }
    // The end of a line that is too long is of no use, whatever comes.
    if (rest.length > MAX_LINE_LENGTH) rest = rest.slice(0, MAX_LINE_LENGTH + 1);
  }
  if (rest.trim() !== "") yield { text: rest.replace(/\r$/, ""), number: number + 1 };
}

async function* readText(path: string, encoding: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding);
  const file = createReadStream(path);
  try {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    signal.throwIfAborted();
    throw new UsageError(`${maskReference(path)}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    file.destroy();
  }
}
