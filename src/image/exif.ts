import { ImageError } from "../domain/errors.js";
import { findTag, openTiff } from "./tiff-directory.js";

const ORIENTATION_TAG = 274;
const EXIF_HEADER = "Exif\0\0";

/**
 * The orientation (1..8) in an EXIF block: a small TIFF, in JPEG and some WebP files behind `Exif\0\0`.
 * A broken block is no reason to refuse a picture, so anything odd is 1, as decoders take it.
 */
export function exifOrientation(block: Buffer): number {
  const prefixed = block.toString("latin1", 0, EXIF_HEADER.length) === EXIF_HEADER;
  try {
    const tiff = openTiff(prefixed ? block.subarray(EXIF_HEADER.length) : block);
    return toOrientation(findTag(tiff, tiff.firstDirectoryAt, ORIENTATION_TAG)?.number(0));
  } catch (error) {
    if (error instanceof ImageError) return 1;
    throw error;
  }
}

export function toOrientation(value: number | undefined): number {
  return value !== undefined && value >= 1 && value <= 8 ? value : 1;
}
