import { join } from "node:path";
import type { OutcomeRecord, OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { parseRecord, readLines } from "./read-lines.js";

const LINES_AT_A_TIME = 500;

/** What an `--out` folder holds. */
export interface Restored {
  /** Where each file's last complete line ends: a line that was being written when the process died is not counted. */
  readonly position: SinkPosition;
  /** Lines taken. */
  readonly taken: number;
  /** Complete lines that are no outcome this version knows: they are not taken, and stay. */
  readonly foreign: number;
}

/**
 * Reads back what an `--out` folder holds, in the order it was finished in: of a request that has lines in both files the
 * later one counts.
 */
export async function restoreFromFiles(
  folder: string,
  take: (records: readonly OutcomeRecord[]) => Promise<void>,
): Promise<Restored> {
  const position = { results: 0, failures: 0 };
  let taken = 0;
  let foreign = 0;
  let records: OutcomeRecord[] = [];
  const flush = async () => {
    if (records.length > 0) await take(records);
    taken += records.length;
    records = [];
  };
  for await (const { stream, end, record } of inOrder(folder)) {
    position[stream] = end;
    if (record === null) foreign++;
    else records.push(record);
    if (records.length >= LINES_AT_A_TIME) await flush();
  }
  await flush();
  return { position, taken, foreign };
}

interface Line {
  readonly stream: OutcomeStream;
  readonly end: number;
  readonly record: OutcomeRecord | null;
}

/** The lines of both files, merged by the time they were finished at; each file is in that order by itself. */
async function* inOrder(folder: string): AsyncGenerator<Line> {
  const [results, failures] = [linesOf(folder, "results"), linesOf(folder, "failures")];
  try {
    let result = await nextOf(results);
    let failure = await nextOf(failures);
    for (let line = earlier(result, failure); line !== null; line = earlier(result, failure)) {
      yield line;
      if (line === result) result = await nextOf(results);
      else failure = await nextOf(failures);
    }
  } finally {
    await results.return(undefined);
    await failures.return(undefined);
  }
}

async function* linesOf(folder: string, stream: OutcomeStream): AsyncGenerator<Line> {
  for await (const { text, end } of readLines(join(folder, STREAM_FILES[stream]))) {
    yield { stream, end, record: parseRecord(text) };
  }
}

async function nextOf(lines: AsyncGenerator<Line>): Promise<Line | null> {
  const next = await lines.next();
  return next.done === true ? null : next.value;
}

function earlier(one: Line | null, other: Line | null): Line | null {
  if (one === null || other === null) return one ?? other;
  return (one.record?.finishedAt ?? "") <= (other.record?.finishedAt ?? "") ? one : other;
}
