import { type ErrorCode, ProviderError } from "./errors.js";

/** What a vendor account allows. */
export interface CallLimits {
  /** Calls a second; `auto`: unknown, to be found out. */
  readonly perSecond: number | "auto";
  /** Calls in any minute and in any day; null: not limited. */
  readonly perMinute: number | null;
  readonly perDay: number | null;
  /** Calls under way at a time, of all processes; null: not limited. */
  readonly inFlight: number | null;
}

/** The right to send one call, at one moment. */
export interface Slot {
  /** The server's clock. @unit microseconds since 1970 */
  readonly atUs: number;
  /** Between calls, and how much closer two may come. @unit microseconds */
  readonly intervalUs: number;
  readonly toleranceUs: number;
  /** The pace this slot belongs to: void once the pace has another. */
  readonly epoch: number;
  /** Everybody waits for what becomes of this call. */
  readonly isProbe: boolean;
}

/** What a call came to, as far as the pace is concerned. */
export type CallReport =
  /** The provider did its work; a refusal of the image is work, too. */
  | { readonly kind: "ok" }
  /** @param retryAfterMs null: it did not say for how long */
  | { readonly kind: "throttled"; readonly retryAfterMs: number | null }
  /** The provider, or the way to it, has a fault. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly retryAfterMs: number | null }
  /** The account cannot be used until somebody has done something about it. */
  | { readonly kind: "stopped"; readonly code: ErrorCode }
  /** It never went out, or says nothing of the provider. */
  | { readonly kind: "void" };

/** What a report has changed for everybody; null: nothing. */
export type PaceChange =
  | { readonly kind: "lowered"; readonly rate: number; readonly heldMs: number }
  | { readonly kind: "breaker-opened"; readonly code: ErrorCode; readonly heldMs: number }
  | { readonly kind: "breaker-closed"; readonly afterMs: number }
  | null;

export interface Reported {
  readonly change: PaceChange;
  /** The run of failures without a success that this one belongs to; null: it was none. */
  readonly streak: string | null;
}

/** Why nobody may call at present. */
export type PaceWait = "held" | "breaker-open" | "probing" | "quota-minute" | "quota-day" | "in-flight";

/** What this process last heard. */
export interface PaceState {
  /** The calls a second that the fleet shares at present. */
  readonly rate: number;
  readonly waiting: { readonly why: PaceWait; readonly untilMs: number; readonly code: ErrorCode | null } | null;
  /** The last run of failures that turned out to be an outage: attempts that were charged in it come back. */
  readonly outage: string | null;
}

/** A fleet-wide limit on the calls to one vendor account. */
export interface Pace {
  /** Names the account's limit in Redis. */
  readonly key: string;
  /**
   * Waits for a slot, and comes back at its time.
   * @param isUrgent before those that are not
   * @throws CancelledError when `signal` aborts first; the slot is then somebody else's
   * @throws ProviderError `provider-held` when nobody may call for longer than is worth waiting, or a `stop-provider` one when the
   * account is stopped
   */
  take(signal: AbortSignal, isUrgent: boolean): Promise<Slot>;
  /** Says what became of a slot, once for each; also that it was not used. */
  report(slot: Slot, report: CallReport): Promise<Reported>;
  state(): PaceState;
  close(): Promise<void>;
}

/** Nobody waits in line for longer than this: his job goes back, and those of other providers come first. */
const LONGEST_WAIT_MS = 6000;

/** The error that sends those away who would have to wait; null: it is not long. */
export function heldTooLong(provider: string, waitMs: number): ProviderError | null {
  if (waitMs <= LONGEST_WAIT_MS) return null;
  return new ProviderError("provider-held", `${provider} takes no calls for ${Math.ceil(waitMs / 1000)} s`, {
    retryAfterMs: waitMs,
  });
}
