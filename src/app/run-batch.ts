import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { Batch, BatchCounts, BatchTerms } from "../domain/batch.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { UsageError } from "../domain/errors.js";
import type { FeedProgress } from "../intake/feed.js";
import { type BatchFileMarks, openFileMarks } from "../queue/file-marks.js";
import { feedBatch, noImage, type OpenedSources } from "./feeding.js";
import { foldersToKeep } from "./folder-names.js";
import { thresholdsOf } from "./thresholds.js";
import { type Ending, type Feeding, type WatchOptions, watchRun } from "./watch-run.js";
import { startWorking, type Working } from "./working.js";
import { startWriting } from "./writing.js";

const LOOK_MS = 200;
/** How long a stopped run waits for its last outcomes to be written. */
const LEFTOVERS_MS = 10_000;
/** How long it waits for what other workers have begun of a batch that was cancelled. */
const IN_WORK_MS = 60_000;

export interface RunBatchOptions extends WatchOptions {
  readonly name: string;
  readonly sources: OpenedSources;
  readonly out: string;
  readonly concurrency: number | null;
  readonly limit: number | null;
  readonly backlog: number;
  readonly refresh: boolean;
  readonly terms: BatchTerms;
  /** Who works on it. @default it starts to work itself */
  readonly working?: Working;
  /** `changed`: opens only files that are new or have changed since a run that kept marks. @default all, and keeps none */
  readonly files?: "changed" | "all";
  /** @default false: sources without an image are a mistake */
  readonly mayBeEmpty?: boolean;
}

export interface RunResult {
  readonly batch: Batch;
  readonly before: BatchCounts;
  readonly counts: BatchCounts;
  readonly feed: FeedProgress;
  readonly folder: string;
  readonly ending: Ending;
  readonly seconds: number;
  /** Sinks that lack outcomes which the files have. */
  readonly behind: readonly string[];
}

const NOTHING_FED: FeedProgress = { listed: 0, enqueued: 0, ignored: 0, opened: 0, unchanged: 0, waiting: false };

/**
 * Enqueues, works and drains in one process until every page of the sources has its outcome written down, or somebody or
 * something stops it; then it can be called again and goes on where it was.
 * @throws UsageError when the batch is live elsewhere, or the sources hold no image
 */
export async function runBatch(app: App, options: RunBatchOptions, stop: StopSignals): Promise<RunResult> {
  const startedAt = performance.now();
  if (!(await app.presence.acquire(`batch:${options.name}`))) {
    throw new UsageError(`batch ${options.name}: another run of it is live; wait for it, or name another --batch`);
  }
  try {
    return await runHeld(app, options, stop, startedAt);
  } finally {
    await app.presence.release(`batch:${options.name}`);
  }
}

async function runHeld(app: App, options: RunBatchOptions, stop: StopSignals, startedAt: number): Promise<RunResult> {
  const { name, providers, destination, refresh, terms } = options;
  const thresholds = thresholdsOf(app.config);
  const sources = await foldersToKeep(options.sources.sources, options.sources.roots, app.vault);
  const batch = await app.batches.open({ name, providers, destination, sources, thresholds, refresh, terms });
  const writing = await startWriting(app, options.out, destination, { batch, mayStartOver: true });
  try {
    const marks = await openMarks(app, batch, options);
    const before = await app.batches.counts(name);
    const { ending, feed } = await workOn(app, batch, options, marks, stop);
    if (ending.kind !== "complete") await drainLeftovers(app, batch, ending);
    await writing.close();
    const counts = await app.batches.counts(name);
    if (ending.kind === "complete") {
      if (counts.found === 0 && options.mayBeEmpty !== true) throw noImage(feed.ignored);
      await marks?.keep();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    return { batch, before, counts, feed, folder: writing.folder, ending, seconds, behind: writing.behind() };
  } finally {
    await writing.close();
  }
}

async function openMarks(app: App, batch: Batch, { files }: RunBatchOptions): Promise<BatchFileMarks | null> {
  if (files === undefined) return null;
  const marks = await openFileMarks(app.redis, app.keys, batch.name, batch.generation);
  return files === "changed" ? marks : { ...marks, areKnown: async (all) => all.map(() => false) };
}

/** Feeds and works until there is no more to do, or no more can be done. */
async function workOn(
  app: App,
  batch: Batch,
  options: RunBatchOptions,
  marks: BatchFileMarks | null,
  stop: StopSignals,
): Promise<{ ending: Ending; feed: FeedProgress }> {
  const ended = new AbortController();
  const signals = { soft: AbortSignal.any([stop.soft, ended.signal]), hard: stop.hard };
  setMaxListeners(0, signals.soft);
  const { providers, concurrency } = options;
  const working = options.working ?? (await startWorking(app, { providers, concurrency, stop: signals }));
  const feeding = startFeeding(app, batch, options, marks, signals.soft);
  try {
    const ending = await watchRun(app, batch, options, { working, feeding }, stop.soft);
    return { ending, feed: feeding.progress() };
  } finally {
    ended.abort();
    await feeding.done.catch(() => {});
    if (options.working === undefined) await working.close();
  }
}

function startFeeding(
  app: App,
  batch: Batch,
  options: RunBatchOptions,
  marks: BatchFileMarks | null,
  signal: AbortSignal,
): Feeding {
  let progress = NOTHING_FED;
  const onProgress = (now: FeedProgress) => {
    progress = now;
  };
  const { backlog, limit } = options;
  const feed = async (distrust: boolean) => {
    const feedOptions = { backlog, limit, priority: "batch", distrust, marks, onProgress } as const;
    await feedBatch(app, batch, options.sources, feedOptions, signal);
    await app.batches.setFed(batch.name, true);
  };
  return { done: feed(false), progress: () => progress, again: () => feed(true) };
}

/** What was finished before the stop is written down before the end; of a cancelled batch also what others finish. */
async function drainLeftovers(
  { images, outcomes }: App,
  { name, destination }: Batch,
  { kind }: Ending,
): Promise<void> {
  const deadline = performance.now() + (kind === "cancelled" ? IN_WORK_MS : LEFTOVERS_MS);
  const isLeft = async () =>
    (kind === "cancelled" && (await images.inWork(name)) > 0) || (await outcomes.unread(destination)) > 0;
  while (performance.now() < deadline && (await isLeft())) await sleep(LOOK_MS / 4);
}
