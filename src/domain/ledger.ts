import type { AnswerKey, ProviderName } from "./answer.js";
import type { Batch } from "./batch.js";
import type { ImageKey } from "./image.js";
import type { Slot } from "./pace.js";
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
  /** Takes the page from somebody less urgent who has not called for it yet. */
  readonly isUrgent: boolean;
}

/** A page that is ours to call for, and by which claim: one page may be claimed anew before the first claimant notices. */
export interface HeldPage {
  readonly key: AnswerKey;
  readonly ticket: string;
}

/**
 * - `done`: the request has its outcome already; there is nothing to do.
 * - `kept`: it has an outcome from before and the answer behind it is no longer kept; that outcome stands.
 * - `answered`: the answer is stored; no call is needed.
 * - `busy`: somebody is calling for this very page; come back.
 * - `spent`: it takes a call, and the batch's budget has none left at present.
 * - `claimed`: it is ours to call. Where an earlier owner died with a call under way, that call is counted as uncertain now.
 */
export type Claim =
  | { readonly kind: "done" }
  | { readonly kind: "kept" }
  | { readonly kind: "answered"; readonly owner: RequestId; readonly sealed: Buffer }
  | { readonly kind: "busy" }
  | { readonly kind: "spent" }
  | { readonly kind: "claimed"; readonly owner: RequestId; readonly held: HeldPage };

/**
 * - `go`: the call is marked as sent, counted, and its price set aside; it goes out after so many ms, mostly none.
 * - `void`: the slot is not valid any more; wait for another.
 * - `spent`: the batch's budget has no call left at present.
 * - `closed`: the batch's window has closed while the call waited.
 * - `halted`: the batch was paused or cancelled meanwhile.
 * - `lost`: the page is somebody else's by now, who is more urgent or took us for dead; its answer will serve both.
 */
export type Departure =
  | { readonly kind: "go"; readonly waitMs: number }
  | { readonly kind: "void" | "spent" | "closed" | "halted" | "lost" };

/** What a call came to, for the batch's accounts. */
export interface CallAccount {
  readonly batch: string;
  readonly provider: ProviderName;
  /** It brought an answer. */
  readonly answered: boolean;
  readonly billable: boolean;
  readonly uncertain: boolean;
  /** It never went out after all: it is not a call. */
  readonly notSent: boolean;
}

/** One stored answer per answer key, and what is in flight (I1, I2). */
export interface AnswerLedger {
  claim(key: AnswerKey, context: ClaimContext): Promise<Claim>;
  /**
   * Marks the call as sent, counts it and sets its price aside, at the last moment before it goes out; or says why not, and
   * has changed nothing then.
   * @param deadlineMs from now; after it the mark holds nobody back
   */
  markSent(held: HeldPage, call: CallToSend, deadlineMs: number): Promise<Departure>;
  /** Stores the answer unless one no older than `refreshSinceMs` is there, lets go of the claim, settles the account. */
  store(held: HeldPage, sealed: Buffer, account: CallAccount | null, refreshSinceMs: number): Promise<void>;
  /** Lets go of the claim without an answer; settles the account of the call, if there was one. */
  release(held: HeldPage, account: CallAccount | null): Promise<void>;
}

/** A call that is about to go out. */
export interface CallToSend {
  readonly batch: Batch;
  readonly provider: ProviderName;
  /** The account's limit in Redis; "": none. */
  readonly pace: string;
  /** Null where nothing limits. */
  readonly slot: Slot | null;
}
