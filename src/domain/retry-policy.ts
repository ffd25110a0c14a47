import { type CardbatchError, type ErrorCode, ProviderError } from "./errors.js";

/** What a request has been through; travels with its job. */
export interface AttemptState {
  /** Attempts begun, this one included; deferrals cost none. */
  readonly attempts: number;
  /** Calls made for this request. */
  readonly calls: number;
  /** How often each fault was met, by `faultKey`. */
  readonly met: Readonly<Record<string, number>>;
  /** The provider's run of failures that the last attempts were charged in, and how many; they come back if it was an outage. */
  readonly charged?: { readonly streak: string; readonly attempts: number };
  /** Attempts that an outage did not cost. */
  readonly spared?: number;
}

export const FIRST_ATTEMPT: AttemptState = { attempts: 1, calls: 0, met: {} };

/** The state with the attempts back that were charged before the provider was known to answer nobody. */
export function refundOutage(state: AttemptState, isOutage: (streak: string) => boolean): AttemptState {
  const { charged, ...rest } = state;
  if (charged === undefined || !isOutage(charged.streak)) return state;
  return { ...rest, attempts: state.attempts - charged.attempts, spared: (state.spared ?? 0) + charged.attempts };
}

/** The state to go on with after an error that was decided to be met again. */
export function chargeAttempt(
  state: AttemptState,
  step: NextStep & { kind: "again" },
  streak: string | null,
): AttemptState {
  if (step.isSpared) return { ...state, spared: (state.spared ?? 0) + 1 };
  if (!step.costsAttempt) return state;
  const { charged, ...rest } = state;
  const next = { ...rest, attempts: state.attempts + 1 };
  if (streak === null) return next;
  const before = charged?.streak === streak ? charged.attempts : 0;
  return { ...next, charged: { streak, attempts: before + 1 } };
}

/** What counts as the same fault met again: the vendor's own code where it gave one. */
export function faultKey(error: CardbatchError): string {
  return error instanceof ProviderError ? (error.vendorCode ?? error.code) : error.code;
}

/** The state with this error met once more; only faults that are retried are counted. */
export function noteFault(state: AttemptState, error: CardbatchError): AttemptState {
  if (error.disposition !== "retry") return state;
  const key = faultKey(error);
  return { ...state, met: { ...state.met, [key]: (state.met[key] ?? 0) + 1 } };
}

export interface RetryPolicy {
  readonly maxAttempts: number;
  /**
   * How often a call that ran into its deadline is made again: it may have been read and billed. A picture that is too much for the vendor is so every
   * time, and may be billed every time. A connection that broke says nothing of the picture and is retried as any fault.
   */
  readonly maxTimeouts: number;
  /** Base and ceiling of the backoff. @unit milliseconds */
  readonly baseMs: number;
  readonly longestBackoffMs: number;
  /** A vendor that wants to be left alone for longer is asked again after this. @unit milliseconds */
  readonly longestRetryAfterMs: number;
  /** How long to wait when the vendor throttles without saying for how long. */
  readonly deferMs: number;
  /** How soon who has joined another's call looks for its answer: within twice as long. @unit milliseconds */
  readonly joinedMs: number;
  /** How long a job leaves a stopped provider alone. @unit milliseconds */
  readonly stoppedMs: number;
  /** How long a job whose batch may not call at present is put off; it is woken when that changes. @unit milliseconds */
  readonly parkedMs: number;
  /** So often an outage costs a request nothing: half an hour of being the only one to knock. After that it may be the image. */
  readonly mostSpared: number;
}

export const RETRY_POLICY: RetryPolicy = {
  maxAttempts: 12,
  maxTimeouts: 2,
  baseMs: 200,
  longestBackoffMs: 30_000,
  longestRetryAfterMs: 15 * 60_000,
  deferMs: 500,
  joinedMs: 200,
  stoppedMs: 5000,
  mostSpared: 120,
  parkedMs: 30_000,
};

/** What becomes of a request after an error. */
export type NextStep =
  | { readonly kind: "fail" }
  | {
      readonly kind: "again";
      readonly delayMs: number;
      readonly costsAttempt: boolean;
      /** The provider answers nobody: that is no fault of the request. */
      readonly isSpared: boolean;
    };

/**
 * Decides from the error's disposition and what the request has been through, this error included.
 * Backoff with full jitter: a random time up to the exponential bound (Brooker, "Exponential Backoff and Jitter", AWS 2015).
 * @param random 0 ≤ random() < 1
 * @param isOutage the error was met while the provider answered nobody
 */
export function nextStep(
  error: CardbatchError,
  state: AttemptState,
  random: () => number,
  isOutage = false,
  policy = RETRY_POLICY,
): NextStep {
  const retryAfterMs = error instanceof ProviderError ? error.retryAfterMs : null;
  if (PARKING.has(error.code)) return later(parkedFor(random, policy));
  if (error.code === "image-in-work") return later(Math.ceil(policy.joinedMs * (1 + random())));
  switch (error.disposition) {
    case "fail":
      return { kind: "fail" };
    case "defer":
    case "refresh":
      return later(deferral(retryAfterMs, random, policy));
    case "stop-provider":
      return later(policy.stoppedMs);
    case "retry": {
      const met = state.met[faultKey(error)] ?? 1;
      const mostMet =
        error instanceof ProviderError ? (error.maxAttempts ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
      if (error.code === "provider-timeout" && met > policy.maxTimeouts) return { kind: "fail" };
      if (isOutage && (state.spared ?? 0) < policy.mostSpared) {
        return { ...later(deferral(retryAfterMs, random, policy)), isSpared: true };
      }
      if (state.attempts >= policy.maxAttempts || met >= mostMet) return { kind: "fail" };
      const bound = Math.min(policy.longestBackoffMs, policy.baseMs * 2 ** state.attempts);
      const backoffMs = Math.ceil(bound * random());
      return {
        kind: "again",
        delayMs: Math.max(backoffMs, Math.min(retryAfterMs ?? 0, policy.longestRetryAfterMs)),
        costsAttempt: true,
        isSpared: false,
      };
    }
  }
}

function later(delayMs: number) {
  return { kind: "again", delayMs, costsAttempt: false, isSpared: false } as const;
}

/** Errors of the batch as a whole, which no coming back mends. */
const PARKING: ReadonlySet<ErrorCode> = new Set(["budget-spent", "outside-window", "batch-halted"]);

function parkedFor(random: () => number, policy: RetryPolicy): number {
  return Math.ceil(policy.parkedMs * (1 + random() / 2));
}

function deferral(retryAfterMs: number | null, random: () => number, policy: RetryPolicy): number {
  const asked = Math.min(retryAfterMs ?? policy.deferMs, policy.longestRetryAfterMs);
  // Spread, so that what waited together does not come back together.
  return Math.ceil(asked + policy.deferMs * random());
}
