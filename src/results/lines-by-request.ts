import { join } from "node:path";
import { OUTCOME_STREAMS, type OutcomeRecord, type OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { parseRecord, readLines } from "./read-lines.js";

/** The lines that a folder holds of one request. */
export interface RequestLines {
  readonly results: number;
  readonly failures: number;
  /** The outcome of the one that was finished last. */
  readonly outcome: OutcomeRecord["outcome"];
}

const REQUEST = /"request":"(r_[^"]{1,64})"/;

/**
 * Counts the lines of each request of a batch. In memory for as many requests as `wants` lets through, and no more.
 * @param position how far each file is committed; null: as far as it goes
 */
export async function linesByRequest(
  folder: string,
  batch: string,
  position: SinkPosition | null,
  wants: (request: string) => boolean,
): Promise<Map<string, RequestLines>> {
  const lines = new Map<string, RequestLines & { readonly finishedAt: string }>();
  for (const stream of OUTCOME_STREAMS) {
    for await (const { text } of readLines(join(folder, STREAM_FILES[stream]), position?.[stream])) {
      const [, request] = REQUEST.exec(text) ?? [];
      if (request === undefined || !wants(request)) continue;
      const record = parseRecord(text);
      if (record === null || record.batch !== batch) continue;
      lines.set(record.request, withLine(lines.get(record.request), stream, record));
    }
  }
  return lines;
}

function withLine(
  before: (RequestLines & { readonly finishedAt: string }) | undefined,
  stream: OutcomeStream,
  { outcome, finishedAt }: OutcomeRecord,
) {
  const counts = { results: before?.results ?? 0, failures: before?.failures ?? 0 };
  const isLater = before === undefined || finishedAt >= before.finishedAt;
  const last = isLater ? { outcome, finishedAt } : { outcome: before.outcome, finishedAt: before.finishedAt };
  return { ...counts, [stream]: counts[stream] + 1, ...last };
}
