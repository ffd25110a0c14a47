import { CancelledError, ImageError } from "../domain/errors.js";
import type { ImageBounds, PreparedImage } from "../domain/image.js";
import { base64Size, convertPage } from "./convert-page.js";
import { inspectPage } from "./inspect-page.js";
import { MAX_PIXELS, type PageFacts } from "./page-facts.js";

/**
 * One page, ready for a provider. What conforms and stands upright goes out byte for byte, at the cost of a look at its
 * structure; anything else is decoded, set upright, fitted and encoded anew.
 * @param page counted from 0; only TIFF has others
 * @param guard runs the decoding, the one step that hostile bytes could kill the process in
 * @throws ImageError `image-empty`, `image-unsupported`, `image-corrupt`, `image-page`, `image-too-small`,
 *   `image-too-large`, `image-timeout`: each before any call
 * @throws CancelledError when the signal fires
 */
export async function prepareImage(
  bytes: Buffer,
  page: number,
  bounds: ImageBounds,
  signal: AbortSignal,
  guard: (decode: () => Promise<PreparedImage>) => Promise<PreparedImage> = (decode) => decode(),
): Promise<PreparedImage> {
  if (signal.aborted) throw new CancelledError();
  const facts = inspectPage(bytes, page);
  assertUsableSize(facts, bounds);
  if (!conforms(facts, bytes, bounds)) {
    return guard(() => convertPage({ bytes, page, facts }, bounds, signal));
  }
  const { format, width, height } = facts;
  return { bytes, format, width, height, pixelsPerSentPixel: 1, untouched: true };
}

function conforms({ format, width, height, orientation, pages, rare }: PageFacts, bytes: Buffer, bounds: ImageBounds) {
  const isUprightPage = orientation === 1 && pages === 1 && !rare;
  const fits = Math.max(width, height) <= bounds.maxSide && base64Size(bytes.length) <= bounds.maxBase64Bytes;
  return isUprightPage && fits && bounds.formats.includes(format);
}

/** Nothing is enlarged: a page too small, or so long that fitting its length makes it too narrow, has no digits to read. */
function assertUsableSize({ width, height }: PageFacts, { minSide, maxSide }: ImageBounds): void {
  const longest = Math.max(width, height);
  const shortest = Math.min(width, height);
  if (width * height > MAX_PIXELS) {
    throw new ImageError("image-too-large", `the page has ${width} × ${height} pixels, over ${MAX_PIXELS} in all`);
  }
  if (shortest * Math.min(1, maxSide / longest) < minSide) {
    throw new ImageError(
      "image-too-small",
      `the page has ${width} × ${height} pixels; the shortest side must have ${minSide} when the longest has at most ${maxSide}`,
    );
  }
}
