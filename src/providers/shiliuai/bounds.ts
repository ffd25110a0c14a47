import type { ImageBounds } from "../../domain/image.js";

/** The vendor lists no formats, so the two that everybody reads; "less than 20M" in its smaller reading. */
export const SHILIUAI_BOUNDS: ImageBounds = {
  formats: ["jpeg", "png"],
  minSide: 15,
  maxSide: 8192,
  maxBase64Bytes: 19_999_999,
};
