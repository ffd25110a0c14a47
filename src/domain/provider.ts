import type { Answer, ProviderName } from "./answer.js";
import type { ImageBounds, PreparedImage } from "./image.js";

/** A request body ready to go: built and hashed before its slot, signed after it (I6). */
export interface EncodedCall {
  readonly body: Buffer;
  /** SHA-256 of `body` in hex, where the vendor signs it; otherwise empty. */
  readonly bodySha256: string;
  readonly image: PreparedImage;
}

/** One step of `cardbatch check`. */
export interface CheckStep {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, and when it failed: the setting to change. */
  readonly detail: string;
}

/**
 * An OCR vendor, or the embedded engine. The life of a call:
 * `authorize` → `encode` → (dispatch waits for its slot) → `call`; on `provider-token`, `renew` and once more.
 */
export interface OcrProvider {
  readonly name: ProviderName;
  readonly bounds: ImageBounds;
  /** Whether the vendor tells several cards in one picture apart. */
  readonly cardsPerImage: "one" | "many";
  /** The vendor options sent with each call that change what it answers; part of the answer key. */
  readonly answerOptions: string;
  /** Shared pace and holds belong to the vendor's account: a short, non-secret name of it. */
  readonly account: string;

  /**
   * Has credentials ready (fetches a token where that is the way); cheap once they are.
   * @throws ProviderError `provider-credentials` when they are refused, `provider-unavailable` when nobody answers
   */
  authorize(signal: AbortSignal): Promise<void>;
  /** Drops the cached token and fetches a new one, single-flight. Absent where nothing can be renewed. */
  renew?(signal: AbortSignal): Promise<void>;
  encode(image: PreparedImage): EncodedCall;
  /**
   * Signs with the present time and sends, once: no retry in here.
   * @throws ProviderError for everything that is not an answer; it says whether the call went out, may have been billed,
   *   and how long the vendor wants to be left alone
   */
  call(encoded: EncodedCall, signal: AbortSignal): Promise<Answer>;
  /** Reaches the vendor for real, one step after another; stops at the first that makes the next pointless. */
  check(image: PreparedImage | null, signal: AbortSignal): AsyncIterable<CheckStep>;
  close(): Promise<void>;
}
