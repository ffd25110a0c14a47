import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import { acquireLock } from "../bootstrap/file-lock.mjs";
import { PROVIDER_NAMES } from "../domain/answer.js";
import type { Batch } from "../domain/batch.js";
import { SinkError, UsageError } from "../domain/errors.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { Decision, Review } from "../domain/review.js";
import type { ResultSink } from "../domain/sink.js";
import { policyOf } from "../queue/batch-hash.js";
import { NO_GENERATION } from "../queue/mark.js";
import { createOutcomeReader } from "../queue/outcome-reader.js";
import { createRecorder, type Recorder, type WrittenOutcome } from "../queue/recorder.js";
import { compact } from "../results/compact.js";
import { createDrain } from "../results/drain.js";
import { type Cursor, followFiles, START } from "../results/follow.js";
import { openOut } from "../results/open-out.js";
import { createSinks } from "./sinks.js";

export interface WritingOptions {
  /** The one batch that goes there; null: whatever comes, and nothing is known of it beforehand. */
  readonly batch: Batch | null;
  /** Whether what was recorded for another folder may be forgotten, because whoever asks enqueues it again. */
  readonly mayStartOver: boolean;
  /** What the files hold counts, and what Redis knows of them is forgotten. @default false */
  readonly readBack?: boolean;
}

/** The end of the line: outcomes of one destination on their way into one folder. */
export interface Writing {
  readonly folder: string;
  recorded(): number;
  /** The places of sinks that lack outcomes which the files have. */
  behind(): readonly string[];
  /** Ends reading, writes what was read, brings the files to one line a request. */
  close(): Promise<void>;
}

/**
 * Opens an `--out` folder and starts to write a destination's outcomes into it.
 * @throws UsageError when another process writes the folder, or the batch is written to another one
 */
export async function startWriting(
  app: App,
  folder: string,
  destination: string | null,
  { batch, mayStartOver, readBack = false }: WritingOptions,
): Promise<Writing> {
  const path = resolve(folder);
  await mkdir(path, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--out ${folder}: cannot be made (${error.code})`);
  });
  const sinkId = sinkIdOf(path);
  const knownSink = batch === null ? null : await app.batches.sink(batch.name);
  if (!mayStartOver && knownSink !== null && knownSink !== sinkId) {
    throw new UsageError(
      `--out ${folder}: the batch is written to another folder; use that, or \`run\` it into this one`,
    );
  }
  const sinks = createSinks(app, sinkId);
  const lease = `destination:${destination ?? ""}`;
  if (!(await app.presence.acquire(lease))) {
    const name = destination ?? "card-results";
    throw new UsageError(
      `destination ${name}: another process writes its outcomes; stop that one, or wait for its end`,
    );
  }
  const recorder = createRecorder(app.redis, app.keys, sinkId);
  const opening = openOut(path, batch?.name ?? null, outDeps(app, sinkId, recorder, batch, readBack));
  const { log, release } = await opening.catch(async (error: unknown) => {
    await app.presence.release(lease);
    const { syscall, code } = error as NodeJS.ErrnoException;
    throw syscall === undefined ? error : new UsageError(`--out ${folder}: cannot be written (${code})`);
  });
  if (batch !== null) {
    await app.batches.setSink(batch.name, sinkId);
    await recorder.setPolicy(policyOf(batch));
  }
  const followers = await startFollowing(app, path, recorder, sinks);
  const drain = createDrain<WrittenOutcome>({
    log,
    commit: async (position, outcomes) => {
      await recorder.commit(position, outcomes);
      for (const follower of followers) follower.advance(position);
    },
    emit: app.emit,
    sleep: pause,
  });
  const reader = createOutcomeReader(app.redis, app.keys, destination, drain.record, app.emit);
  const close = app.defer(async () => {
    try {
      // The drain gives up a sink that fails only when it is closed, and the reader waits for the drain.
      const giveUp = drain.close();
      await reader.close();
      await giveUp;
      await drain.close();
      await log.close();
      await Promise.all(followers.map((follower) => follower.close()));
      await compact(path, recorder);
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      app.emit({ type: "sink-failed", sink: log.name, error });
    } finally {
      release();
      await app.presence.release(lease);
    }
  });
  const behind = () => followers.filter((follower) => follower.isBehind()).map(({ sink }) => sink.place);
  return { folder: path, recorded: drain.recorded, behind, close };
}

/** Every sink goes on where it had got to; one that is new begins with the first outcome. */
async function startFollowing(app: App, folder: string, recorder: Recorder, sinks: readonly ResultSink[]) {
  if (sinks.length === 0) return [];
  const committed = (await recorder.position()) ?? {};
  const cursors = await recorder.cursors();
  // From now on `status` tells how far it is behind, even if it never gets to write.
  for (const { place } of sinks) if (cursors[place] === undefined) await recorder.setCursor(place, START);
  return sinks.map((sink) => {
    const cursor = cursors[sink.place] ?? START;
    const saveCursor = (to: Cursor) => recorder.setCursor(sink.place, to);
    return followFiles({ folder, sink, cursor, committed }, { saveCursor, emit: app.emit, sleep: pause });
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}

/** Names an `--out` folder in Redis. @param folder exists */
export function sinkIdOf(folder: string): string {
  return createHash("sha256").update(realpathSync(folder)).digest("base64url").slice(0, 16);
}

function outDeps(app: App, sinkId: string, recorder: Recorder, batch: Batch | null, readBack: boolean) {
  let accountsLost = false;
  return {
    lock: lockFolder,
    position: async () => (readBack ? null : recorder.position()),
    unfinishedCompaction: recorder.unfinishedCompaction,
    compacted: recorder.compacted,
    isOurs: async () => batch === null || ((await app.batches.sink(batch.name)) ?? sinkId) === sinkId,
    forget: async () => {
      accountsLost = batch !== null && Object.keys((await app.batches.counts(batch.name)).providers).length === 0;
      const policy = await recorder.policy();
      await recorder.reset();
      if (policy !== null) await recorder.setPolicy(policy);
      if (batch !== null && (await app.batches.sink(batch.name)) !== null) await app.batches.reset(batch.name);
    },
    restore: async (records: readonly OutcomeRecord[]) => {
      if (batch === null || records.length === 0) return;
      const mine = records.filter((record) => record.batch === batch.name);
      await restoreMarks(app, recorder, batch, mine);
      await app.reviews.put(batch.name, reviewsIn(mine));
      if (accountsLost) await restoreCalls(app, batch, mine);
    },
    restored: async (position: Readonly<Record<string, number>>) => recorder.commit(position, []),
    onNote: app.surroundings.report,
  };
}

/** Takes lines of an earlier run back into the marks; as done, unless they were judged by another policy. */
async function restoreMarks(
  app: App,
  recorder: Recorder,
  batch: Batch,
  records: readonly OutcomeRecord[],
): Promise<void> {
  const policy = await recorder.policy();
  const generation = policy === null || policy === policyOf(batch) ? batch.generation : NO_GENERATION;
  const admissions = records.map(({ request, image, outcome }) => ({
    request,
    // A duplicate does not own its image.
    imageKey: outcome === "duplicate" ? null : image.key,
    page: image.page,
  }));
  await app.batches.admit(batch, admissions);
  const outcomes = records.map((record) => ({ record, generation }));
  await recorder.commit(null, outcomes);
}

/** What people had decided, which stands when the batch is judged again. */
function reviewsIn(records: readonly OutcomeRecord[]): Map<string, Review> {
  const reviews = new Map<string, Review>();
  for (const { request, image, review, cards } of records) {
    if (review === undefined || image.key === null) continue;
    const { decision, by, at } = review;
    reviews.set(request, { imageKey: image.key, decision: decision as Decision, by, at, cards });
  }
  return reviews;
}

/** What the lines tell of calls; of the billable ones among them the least that it can have been. */
async function restoreCalls(app: App, batch: Batch, records: readonly OutcomeRecord[]): Promise<void> {
  for (const name of PROVIDER_NAMES) {
    const its = records.filter((record) => record.provider?.name === name && record.calls > 0);
    const calls = its.reduce((sum, record) => sum + record.calls, 0);
    const billable = name === "local" ? 0 : its.filter((record) => record.outcome !== "failed").length;
    if (calls > 0) await app.batches.addCalls(batch.name, name, calls, billable);
  }
}

async function lockFolder(folder: string): Promise<() => void> {
  const busy = new AbortController();
  try {
    return await acquireLock(`${folder}/.lock`, { signal: busy.signal, onWait: () => busy.abort() });
  } catch (error) {
    if (busy.signal.aborted)
      throw new UsageError(`--out ${folder}: another process is writing there; stop that one, or use another folder`);
    throw error;
  }
}
