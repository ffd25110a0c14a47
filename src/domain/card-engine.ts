import type { Quad } from "./geometry.js";

/** One line of text the engine read. `confidence` (0..1) is the probability that every character is right. */
export interface EngineText {
  readonly text: string;
  readonly confidence: number;
  readonly keypoints: Quad;
}

/** One card the engine found. `number` is digits only; dates are `MM/YY`. A field that was not seen is null. */
export interface EngineCard {
  readonly number: EngineText | null;
  readonly issueDate: EngineText | null;
  readonly expiryDate: EngineText | null;
  readonly quad: Quad | null;
  /** Which way its text reads in the picture: degrees clockwise, 0 to 359, 0 upright. Null where neither number nor card was placed. */
  readonly direction: number | null;
  readonly quality: CardQuality;
}

/** What speaks against a picture of a card, from 0 (nothing) to 1; null where it cannot be measured. */
export interface CardQuality {
  /** How soft the number's edges are, whatever its contrast; over 0.85 they are hard to read. */
  readonly blur: number | null;
  /** The share of the card that is blown out to white. */
  readonly glare: number | null;
  /** The card reaches over the picture's edge. */
  readonly cutEdge: boolean;
}

/** What the engine says about one picture. No card in it: `cards` is empty. */
export interface EngineReading {
  readonly cards: readonly EngineCard[];
}

/** The embedded recogniser as the rest of the application sees it. */
export interface CardEngine {
  /**
   * Reads one encoded picture (JPEG, PNG, WebP or single-page TIFF bytes).
   * @throws EngineError `engine-image` when the bytes cannot be decoded, `engine-unavailable` when no runtime is here.
   */
  read(image: Uint8Array, signal?: AbortSignal): Promise<EngineReading>;
  close(): Promise<void>;
}
