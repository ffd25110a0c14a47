import type { Batch, BatchCounts } from "../domain/batch.js";
import { isOpen, opensAt } from "../domain/window.js";
import { type LedgerCost, weighAnswers, weighMarks } from "../queue/ledger-cost.js";
import { countImages, countUnread, type ImageQueueCounts } from "../queue/queue-counts.js";
import { type PaceStatus, readPaces } from "../queue/read-pace.js";
import type { Reader } from "./reading.js";

export interface BatchStatus {
  readonly batch: Batch;
  readonly counts: BatchCounts;
  /** A `run` or `enqueue` of it is alive. */
  readonly isLive: boolean;
  /** Null: its window is open, or it has none. */
  readonly opensAt: Date | null;
  /** Outcomes that nobody has recorded yet. */
  readonly unread: number;
  /** What the folder's files had reached when they were committed last, in bytes; null: nothing is written yet. */
  readonly position: Readonly<Record<string, number>> | null;
  readonly markBytes: number;
}

export interface Status {
  readonly batches: readonly BatchStatus[];
  readonly providers: readonly PaceStatus[];
  readonly images: ImageQueueCounts;
  readonly answers: LedgerCost;
  /** Of answers and marks, for each page found; null: there is none. */
  readonly ledgerBytesPerPage: number | null;
}

/** How everything stands; changes nothing, and takes no longer for a larger archive. */
export async function readStatus(reader: Reader, only: string | null, now: () => number = Date.now): Promise<Status> {
  const { redis, keys } = reader;
  const names = only === null ? (await redis.smembers(keys.batches())).sort() : [only];
  const batches: BatchStatus[] = [];
  for (const name of names) {
    const batch = await reader.batches.get(name);
    if (batch !== null) batches.push(await readBatch(reader, batch, now()));
  }
  const answers = await weighAnswers(redis, keys);
  const found = batches.reduce((sum, { counts }) => sum + counts.found, 0);
  const marks = batches.reduce((sum, { markBytes }) => sum + markBytes, 0);
  return {
    batches,
    providers: await readPaces(redis, keys),
    images: await countImages(redis, keys),
    answers,
    ledgerBytesPerPage: found === 0 ? null : (marks + answers.answerBytes) / found,
  };
}

async function readBatch({ redis, keys, batches }: Reader, batch: Batch, nowMs: number): Promise<BatchStatus> {
  const { name, destination, window } = batch;
  const sink = await batches.sink(name);
  const position = sink === null ? null : await redis.hget(keys.sink(sink), "position");
  return {
    batch,
    counts: await batches.counts(name),
    isLive: (await redis.exists(keys.lease(`batch:${name}`))) === 1,
    opensAt: isOpen(window, nowMs) ? null : new Date(opensAt(window, nowMs)),
    unread: await countUnread(redis, keys, destination),
    position: position === null ? null : (JSON.parse(position) as Record<string, number>),
    markBytes: await weighMarks(redis, keys, name),
  };
}
