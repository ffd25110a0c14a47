import { join } from "node:path";
import { type OutcomeRecord, recordSchema } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { readLines } from "./read-lines.js";

const LINES_AT_A_TIME = 500;

/**
 * Reads back what an `--out` folder holds.
 * @returns how many lines were taken, and where each file's last good line ends; a line that does not parse is passed
 *   over: at the end it was being written when the process died
 */
export async function restoreFromFiles(
  folder: string,
  take: (records: readonly OutcomeRecord[]) => Promise<void>,
): Promise<{ position: SinkPosition; taken: number }> {
  const position = { results: 0, failures: 0 };
  let taken = 0;
  for (const stream of ["results", "failures"] as const) {
    let records: OutcomeRecord[] = [];
    const flush = async () => {
      await take(records);
      taken += records.length;
      records = [];
    };
    for await (const { text, end } of readLines(join(folder, STREAM_FILES[stream]))) {
      const record = parseRecord(text);
      if (record === null) continue;
      records.push(record);
      position[stream] = end;
      if (records.length >= LINES_AT_A_TIME) await flush();
    }
    await flush();
  }
  return { position, taken };
}

function parseRecord(text: string): OutcomeRecord | null {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
