import { MAX_LINE_LENGTH, type TextLine } from "./text-lines.js";

/** A record of a CSV; `fields` is null where its quotes make no sense. */
export interface CsvRecord {
  readonly fields: readonly string[] | null;
  /** The line that it begins on. */
  readonly line: number;
}

/**
 * The records of RFC 4180 text, with any line ends. What is wrong with quotes costs the line that it is on and no other:
 * the lines after a quote that is never closed are not lost, which is why this is not left to a CSV library.
 */
export async function* readCsvRecords(lines: AsyncIterable<TextLine>): AsyncGenerator<CsvRecord> {
  /** Lines of a record that may go on. */
  let open: TextLine[] = [];
  let text = "";
  function* take(queue: TextLine[]): Generator<CsvRecord> {
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
      open.push(line);
      text = open.length === 1 ? line.text : `${text}\n${line.text}`;
      const isStillOpen = open.length > 1 && !line.text.includes('"');
      const fields = isStillOpen ? "open" : splitRecord(text);
      if (fields === "open" && text.length <= MAX_LINE_LENGTH) continue;
      yield* end(typeof fields === "string" || text.length > MAX_LINE_LENGTH ? null : fields, queue);
    }
  }
  function* end(fields: readonly string[] | null, queue: TextLine[]): Generator<CsvRecord> {
    const [first, ...later] = open;
    if (first !== undefined) yield { fields, line: first.number };
    if (fields === null) queue.unshift(...later);
    open = [];
  }
  for await (const line of lines) yield* take([line]);
  while (open.length > 0) {
    const queue: TextLine[] = [];
    yield* end(null, queue);
    yield* take(queue);
  }
}

/** The fields of one record; `open` when it goes on in the next line, `broken` when text follows a closing quote. */
export function splitRecord(text: string): readonly string[] | "open" | "broken" {
  const fields: string[] = [];
  for (let at = 0; at <= text.length; ) {
    if (text.charAt(at) === '"') {
      const end = closingQuote(text, at + 1);
      if (end < 0) return "open";
      if (end + 1 < text.length && text.charAt(end + 1) !== ",") return "broken";
      fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 2;
    } else {
      const comma = text.indexOf(",", at);
      const end = comma < 0 ? text.length : comma;
      fields.push(text.slice(at, end));
      at = end + 1;
    }
  }
  return fields;
}

/** Where the quote is that is not doubled; -1 when there is none. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text.charAt(at + 1) === '"') at = text.indexOf('"', at + 2);
  return at;
}
