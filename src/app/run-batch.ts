import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { ProviderName } from "../domain/answer.js";
import type { Batch, BatchCounts, BatchTerms } from "../domain/batch.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { type CardbatchError, type ErrorCode, OUTAGE_CODES, ProviderError, UsageError } from "../domain/errors.js";
import { type CallWindow, isOpen, opensAt } from "../domain/window.js";
import type { FeedProgress } from "../intake/feed.js";
import { type BatchFileMarks, openFileMarks } from "../queue/file-marks.js";
import { feedBatch, type OpenedSources } from "./feeding.js";
import { foldersToKeep } from "./folder-names.js";
import { keepAwake, watchBudget } from "./limits.js";
import { thresholdsOf } from "./thresholds.js";
import { startWorking, type Working } from "./working.js";
import { startWriting } from "./writing.js";

const LOOK_MS = 200;
/** So long nothing may be left to do while outcomes are missing; then the sources are gone through once more. */
const LOST_MS = 5000;
/** How long a stopped run waits for its last outcomes to be written. */
const LEFTOVERS_MS = 10_000;
/** How long it waits for what other workers have begun of a batch that was cancelled. */
const IN_WORK_MS = 60_000;

export interface RunBatchOptions {
  readonly name: string;
  readonly sources: OpenedSources;
  readonly providers: readonly ProviderName[];
  readonly destination: string;
  readonly out: string;
  readonly concurrency: number | null;
  readonly limit: number | null;
  readonly backlog: number;
  readonly refresh: boolean;
  /** How long a provider may not work before the run gives up. @unit milliseconds */
  readonly patienceMs: number;
  readonly terms: BatchTerms;
  readonly onProgress: (progress: RunProgress) => void;
  /** Who works on it. @default it starts to work itself */
  readonly working?: Working;
  /** `changed`: opens only files that are new or have changed since a run that kept marks. @default all, and keeps none */
  readonly files?: "changed" | "all";
  /** @default false: sources without an image are a mistake */
  readonly mayBeEmpty?: boolean;
}

/** Where a run stands, several times a second. */
export interface RunProgress {
  readonly counts: BatchCounts;
  readonly feed: FeedProgress;
  readonly allowedRate: number | null;
  /** Its window is closed until then, by its own clock; null: it may start work. @unit Unix time in ms */
  readonly closedUntilMs: number | null;
  readonly window: CallWindow | null;
}

/** Why a run ended before its batch was complete. */
export type Ending =
  | { readonly kind: "complete" }
  | { readonly kind: "interrupted" }
  | { readonly kind: "provider-stopped"; readonly error: CardbatchError }
  | { readonly kind: "provider-unavailable"; readonly error: CardbatchError }
  /** Somebody cancelled the batch. */
  | { readonly kind: "cancelled" }
  /** No call is left in the batch's limits, and nothing can be done without one. */
  | { readonly kind: "budget-spent" }
  /** Nothing is left to do, yet requests have no outcome. */
  | { readonly kind: "lost" };

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
      if (counts.found === 0 && options.mayBeEmpty !== true) throw new UsageError("the sources hold no image");
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
  const health = watchHealth(app, options.patienceMs);
  try {
    const ending = await watch(app, batch, options, { working, feeding, health }, stop.soft);
    return { ending, feed: feeding.progress() };
  } finally {
    ended.abort();
    health.close();
    await feeding.done.catch(() => {});
    if (options.working === undefined) await working.close();
  }
}

interface Feeding {
  readonly done: Promise<void>;
  readonly progress: () => FeedProgress;
  /** Enqueues what has no recorded outcome, wherever it got lost. */
  again(): Promise<void>;
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

/** Looks at the batch until it is complete or cannot go on. */
async function watch(
  app: App,
  batch: Batch,
  options: RunBatchOptions,
  { working, feeding, health }: { working: Working; feeding: Feeding; health: Health },
  signal: AbortSignal,
): Promise<Ending> {
  let feedError: unknown = null;
  feeding.done.catch((error: unknown) => {
    feedError = error;
  });
  const isBudgetSpent = watchBudget(app, options.destination, options.providers);
  const wakeSleepers = keepAwake(app, options.name);
  let idleSince: number | null = null;
  let fedAgain = false;
  for (;;) {
    if (signal.aborted) return { kind: "interrupted" };
    const counts = await app.batches.counts(options.name);
    if (counts.halt === "cancelled") return { kind: "cancelled" };
    if (feedError !== null) throw feedError;
    const [first] = options.providers;
    const allowedRate = first === undefined ? null : (working.pace(first)?.state().rate ?? null);
    const nowMs = Date.now();
    const closedUntilMs = isOpen(batch.window, nowMs) ? null : opensAt(batch.window, nowMs);
    options.onProgress({ counts, feed: feeding.progress(), allowedRate, closedUntilMs, window: batch.window });
    if (counts.fed && counts.pending <= 0 && counts.stale <= 0) return { kind: "complete" };
    const stopped = stoppedBy(options.providers, working);
    if (stopped !== null) return { kind: "provider-stopped", error: stopped };
    await wakeSleepers(counts);
    if ((counts.fed || feeding.progress().waiting) && (await isBudgetSpent(counts))) return { kind: "budget-spent" };
    const unavailable = health.unavailable(closedUntilMs !== null || counts.halt !== null);
    if (unavailable !== null) return { kind: "provider-unavailable", error: unavailable };
    const isIdle =
      counts.fed && (await app.images.unfinished()) + (await app.outcomes.unread(options.destination)) === 0;
    idleSince = isIdle ? (idleSince ?? performance.now()) : null;
    if (idleSince !== null && performance.now() - idleSince > LOST_MS) {
      // What is only stale has an outcome; its file has gone from the sources, and the outcome stands.
      if (fedAgain) return { kind: counts.pending <= 0 ? "complete" : "lost" };
      fedAgain = true;
      idleSince = null;
      await feeding.again();
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

/** The error that stopped the providers, when all of them are stopped. */
function stoppedBy(providers: readonly ProviderName[], working: Working): CardbatchError | null {
  const errors = providers.map((name) => working.dispatcher(name)?.stoppedBy() ?? null);
  return errors.every((error) => error !== null) ? (errors[0] ?? null) : null;
}

interface Health {
  /** What keeps calls from working for longer than patience allows; null: nothing does. */
  readonly unavailable: (isHeld: boolean) => CardbatchError | null;
  readonly close: () => void;
}

function watchHealth(app: App, patienceMs: number): Health {
  let troubleSince: number | null = null;
  let code: ErrorCode = "provider-unavailable";
  const close = app.onEvent((event) => {
    if (event.type === "called" && !OUTAGE_CODES.has(event.result as ErrorCode)) troubleSince = null;
    if (event.type === "put-back" && OUTAGE_CODES.has(event.code)) {
      troubleSince ??= performance.now();
      code = event.code;
    }
  });
  const unavailable = (isHeld: boolean) => {
    // While nothing is called, nobody's patience is tried.
    if (isHeld) troubleSince = null;
    if (troubleSince === null || performance.now() - troubleSince < patienceMs) return null;
    return new ProviderError(code, "no call has worked for longer than --patience allows");
  };
  return { unavailable, close };
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
