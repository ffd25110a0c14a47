import type { AnswerKey, ProviderName } from "./answer.js";
import type { ImageKey } from "./image.js";
import type { RequestId } from "./payload.js";

/** Who asks the ledger, and about what. */
export interface ClaimContext {
  readonly request: RequestId;
  readonly provider: ProviderName;
  readonly batch: string;
  readonly generation: string;
  readonly refreshSinceMs: number;
  readonly imageKey: ImageKey;
  readonly page: number;
  /** Whether an outcome from before may stand where the answer behind it is no longer kept. */
  readonly outcomeMayStand: boolean;
}

/**
 * - `done`: the request has its outcome already; there is nothing to do.
 * - `kept`: it has an outcome from before and the answer behind it is no longer kept; that outcome stands.
 * - `answered`: the answer is stored; no call is needed.
 * - `busy`: somebody is calling for this very page; come back.
 * - `claimed`: it is ours to call. Where an earlier owner died with a call under way, that call is counted as uncertain now.
 */
export type Claim =
  | { readonly kind: "done" }
  | { readonly kind: "kept" }
  | { readonly kind: "answered"; readonly owner: RequestId; readonly sealed: Buffer }
  | { readonly kind: "busy" }
  | { readonly kind: "claimed"; readonly owner: RequestId };

/** What a call came to, for the batch's accounts. */
export interface CallAccount {
  readonly batch: string;
  readonly provider: ProviderName;
  readonly billable: boolean;
  readonly uncertain: boolean;
  /** It never went out after all: it is not a call. */
  readonly notSent: boolean;
}

/** One stored answer per answer key, and what is in flight (I1, I2). */
export interface AnswerLedger {
  claim(key: AnswerKey, context: ClaimContext): Promise<Claim>;
  /**
   * Marks the call as sent and counts it, at the last moment before it goes out.
   * @param deadlineMs from now; after it the mark holds nobody back
   * @returns how long the provider is on hold; 0: go ahead. Nothing is marked or counted while it is on hold.
   */
  markSent(
    key: AnswerKey,
    account: { batch: string; provider: ProviderName; pace: string },
    deadlineMs: number,
  ): Promise<number>;
  /** Stores the answer unless one no older than `refreshSinceMs` is there, lets go of the claim, settles the account. */
  store(key: AnswerKey, sealed: Buffer, account: CallAccount | null, refreshSinceMs: number): Promise<void>;
  /** Lets go of the claim without an answer; settles the account of the call, if there was one. */
  release(key: AnswerKey, account: CallAccount | null): Promise<void>;
}
