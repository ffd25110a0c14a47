import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { ProviderName } from "../domain/answer.js";
import type { Batch, BatchCounts } from "../domain/batch.js";
import { type CardbatchError, type ErrorCode, OUTAGE_CODES, ProviderError } from "../domain/errors.js";
import { type CallWindow, isOpen, opensAt } from "../domain/window.js";
import type { FeedProgress } from "../intake/feed.js";
import { keepAwake, watchBudget } from "./limits.js";
import type { Working } from "./working.js";

const LOOK_MS = 200;
/** So long nothing may be left to do while outcomes are missing; then the sources are gone through once more. */
const LOST_MS = 5000;

export interface WatchOptions {
  readonly providers: readonly ProviderName[];
  readonly destination: string;
  /** How long a provider may not work before the run gives up. @unit milliseconds */
  readonly patienceMs: number;
  readonly onProgress: (progress: RunProgress) => void;
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

/** The sources on their way to the queue. */
export interface Feeding {
  readonly done: Promise<void>;
  readonly progress: () => FeedProgress;
  /** Enqueues what has no recorded outcome, wherever it got lost. */
  again(): Promise<void>;
}

/** What a run has going while it is watched. */
interface Going {
  readonly working: Working;
  readonly feeding: Feeding;
}

/**
 * Looks at a batch's run until it is complete or cannot go on.
 * @throws what the feeding threw
 */
export async function watchRun(
  app: App,
  batch: Batch,
  options: WatchOptions,
  going: Going,
  signal: AbortSignal,
): Promise<Ending> {
  const patience = watchPatience(app, options.patienceMs);
  try {
    return await watch(app, batch, options, { ...going, patience }, signal);
  } finally {
    patience.close();
  }
}

async function watch(
  app: App,
  batch: Batch,
  options: WatchOptions,
  { working, feeding, patience }: Going & { readonly patience: Patience },
  signal: AbortSignal,
): Promise<Ending> {
  let feedError: unknown = null;
  feeding.done.catch((error: unknown) => {
    feedError = error;
  });
  const isBudgetSpent = watchBudget(app, options.destination, options.providers);
  const wakeSleepers = keepAwake(app, batch.name);
  let idleSince: number | null = null;
  let fedAgain = false;
  for (;;) {
    if (signal.aborted) return { kind: "interrupted" };
    const counts = await app.batches.counts(batch.name);
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
    const unavailable = patience.unavailable(closedUntilMs !== null || counts.halt !== null);
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

interface Patience {
  /** What keeps calls from working for longer than patience allows; null: nothing does. */
  readonly unavailable: (isHeld: boolean) => CardbatchError | null;
  readonly close: () => void;
}

function watchPatience(app: App, patienceMs: number): Patience {
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
