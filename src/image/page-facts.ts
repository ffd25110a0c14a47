import type { ImageFormat } from "../domain/image.js";

/** The safe limit of a decode, and the largest picture either vendor takes: 8192 × 8192. @unit pixels */
export const MAX_PIXELS = 8192 ** 2;

/** What one page's header says, after its structure was found whole. */
export interface PageFacts {
  readonly format: ImageFormat;
  /** As stored, before orientation. @unit pixels */
  readonly width: number;
  /** As stored, before orientation. @unit pixels */
  readonly height: number;
  /** EXIF orientation, 1..8; 1 is upright. */
  readonly orientation: number;
  /** How many pages the file has. */
  readonly pages: number;
  /** One bit a pixel. */
  readonly bilevel: boolean;
  /** A form of its format that many decoders do not know: it is converted, never passed through. */
  readonly rare: boolean;
}
