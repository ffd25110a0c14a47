import type { Batch, BatchCounts } from "../domain/batch.js";
import type { SinkPosition } from "../domain/sink.js";
import { isOpen, opensAt } from "../domain/window.js";
import { type LedgerCost, weighAnswers, weighMarks } from "../queue/ledger-cost.js";
import { countImages, countUnread, type ImageQueueCounts } from "../queue/queue-counts.js";
import { type PaceStatus, readPaces } from "../queue/read-pace.js";
import { createRecorder } from "../queue/recorder.js";
import type { Reader } from "./reading.js";

/** How far a sink is behind the files that it follows. */
export interface SinkLag {
  readonly place: string;
  readonly bytes: number;
  /** By the mean length of a line. */
  readonly outcomes: number;
}

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
  readonly position: SinkPosition | null;
  /** Each that has ever followed the folder's files. */
  readonly sinks: readonly SinkLag[];
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
  const recorder = sink === null ? null : createRecorder(redis, keys, sink);
  const position = (await recorder?.position()) ?? null;
  const counts = await batches.counts(name);
  return {
    batch,
    counts,
    isLive: (await redis.exists(keys.lease(`batch:${name}`))) === 1,
    opensAt: isOpen(window, nowMs) ? null : new Date(opensAt(window, nowMs)),
    unread: await countUnread(redis, keys, destination),
    position,
    sinks: lagsOf((await recorder?.cursors()) ?? {}, position ?? {}, counts),
    markBytes: await weighMarks(redis, keys, name),
  };
}

function lagsOf(
  cursors: Readonly<Record<string, SinkPosition>>,
  files: SinkPosition,
  { outcomes }: BatchCounts,
): SinkLag[] {
  const written = Object.values(files).reduce((sum, bytes) => sum + bytes, 0);
  const lines = Object.values(outcomes).reduce((sum, its) => sum + its, 0);
  return Object.entries(cursors).map(([place, cursor]) => {
    const bytes = Object.entries(files).reduce(
      (sum, [stream, end]) => sum + Math.max(end - (cursor[stream] ?? 0), 0),
      0,
    );
    return { place, bytes, outcomes: written === 0 ? 0 : Math.ceil((bytes * lines) / written) };
  });
}
