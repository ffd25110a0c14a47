import type { StoredAnswer } from "./answer.js";
import type { Batch } from "./batch.js";
import type { ProviderError } from "./errors.js";
import type { ImageKey, PreparedImage } from "./image.js";
import type { RequestId } from "./payload.js";
import type { OcrProvider } from "./provider.js";

/** Two ways to stop: `soft` ends all waiting and lets calls under way finish, `hard` ends these too. */
export interface StopSignals {
  readonly soft: AbortSignal;
  readonly hard: AbortSignal;
}

export interface PageToRead {
  readonly request: RequestId;
  readonly batch: Batch;
  readonly imageKey: ImageKey;
  readonly page: number;
  /** Nothing has been read of the page yet: an outcome from before may stand where its answer is no longer kept. */
  readonly outcomeMayStand: boolean;
  /** Somebody waits for it: it goes before what a batch wants. */
  readonly isUrgent: boolean;
  /** Calls made for this request so far. */
  readonly calls: () => number;
  /** Called once for each call that went out, as soon as it has ended. */
  readonly onCall: () => void;
  /** Called when a call met a fault of the provider; which run of failures without a success, of anybody's, it belongs to. */
  readonly onFault: (streak: string) => void;
  /** Called once the page is ours to send, and not before: an answered page is not prepared. */
  readonly prepare: () => Promise<PreparedImage>;
}

export type Dispatched =
  /** The request has its outcome, and it stands. */
  | { readonly kind: "settled" }
  | { readonly kind: "answered"; readonly stored: StoredAnswer; readonly owner: RequestId };

/** The way to one provider account, shared by all jobs of a process. */
export interface Dispatcher {
  readonly provider: OcrProvider;
  /**
   * The answer of the provider about one page: from the ledger, or by one call in its turn.
   * @throws ProviderError, ImageError from preparing, CancelledError, CardbatchError `image-in-work`
   */
  dispatch(page: PageToRead, stop: StopSignals): Promise<Dispatched>;
  /** Why no call is made at present; null while calls are made. */
  stoppedBy(): ProviderError | null;
  /** Whether a run of failures turned out to be an outage: then it says nothing of the pages it met. */
  isOutage(streak: string): boolean;
}
