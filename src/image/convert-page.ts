import type { OutputInfo, Sharp } from "sharp";
import { CancelledError, ImageError } from "../domain/errors.js";
import type { ImageBounds, PreparedImage } from "../domain/image.js";
import { decodeBmp } from "./bmp.js";
import { loadSharp } from "./load-sharp.js";
import { MAX_PIXELS, type PageFacts } from "./page-facts.js";

/** Honest pictures at the pixel limit take a few seconds. @unit seconds */
const TIMEOUT_SECONDS = 20;

/** Near the source at first, since thin digits suffer first; then what still reads well. */
const FINE_QUALITY = 92;
const TIGHT_QUALITY = 85;
/** What the step between them brings by itself, as a share of the bytes. */
const QUALITY_GAIN = 0.65;
/** Bytes do not shrink quite as fast as pixels, so a try aims a little lower than computed. */
const SHRINK_MARGIN = 0.9;
const MAX_TRIES = 6;

export interface Page {
  readonly bytes: Buffer;
  readonly page: number;
  readonly facts: PageFacts;
}

/**
 * Decodes one page, sets it upright, fits it into the bounds and encodes it: PNG for black and white at its own size,
 * JPEG for everything else, sRGB on white.
 * @throws ImageError `image-corrupt`, `image-unsupported`, `image-timeout`, `image-too-large` when no try fits
 * @throws CancelledError when the signal fires; libvips ends by itself what it has begun
 */
export async function convertPage(source: Page, bounds: ImageBounds, signal: AbortSignal): Promise<PreparedImage> {
  const { width, height } = source.facts;
  const longest = Math.max(width, height);
  const shortest = Math.min(width, height);
  const open = await createOpener(source);
  let rendering = firstRendering(source.facts, bounds);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    if ((shortest * rendering.longest) / longest < bounds.minSide) break;
    const { data, info } = await settle(render(open(), rendering, longest), source.facts, signal);
    const size = base64Size(data.length);
    if (size <= bounds.maxBase64Bytes) {
      return {
        bytes: data,
        format: rendering.format,
        width: info.width,
        height: info.height,
        pixelsPerSentPixel: longest / Math.max(info.width, info.height),
        untouched: false,
      };
    }
    rendering = smallerRendering(rendering, bounds, bounds.maxBase64Bytes / size);
  }
  throw new ImageError("image-too-large", `the page does not fit into ${bounds.maxBase64Bytes} bytes of base64`);
}

/** What so many bytes take as base64. @unit bytes */
export function base64Size(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** One way to write the page. */
interface Rendering {
  readonly format: "jpeg" | "png";
  readonly quality: number;
  /** The longest side as it is sent. @unit pixels */
  readonly longest: number;
}

function firstRendering({ width, height, bilevel }: PageFacts, { formats, maxSide }: ImageBounds): Rendering {
  const longest = Math.min(maxSide, Math.max(width, height));
  const isResized = longest < Math.max(width, height);
  const asPng = !formats.includes("jpeg") || (bilevel && !isResized && formats.includes("png"));
  return { format: asPng ? "png" : "jpeg", quality: FINE_QUALITY, longest };
}

/** @param share how much of the last try's bytes may stay, below 1 */
function smallerRendering({ quality, longest }: Rendering, { formats }: ImageBounds, share: number): Rendering {
  const gain = quality > TIGHT_QUALITY ? QUALITY_GAIN : 1;
  const scale = Math.min(1, Math.sqrt(share / gain) * SHRINK_MARGIN);
  return {
    format: formats.includes("jpeg") ? "jpeg" : "png",
    quality: TIGHT_QUALITY,
    longest: Math.max(1, Math.floor(longest * scale)),
  };
}

/** Each try reads the page anew, so that shrink-on-load serves every size and nothing large is kept. */
async function createOpener({ bytes, page, facts }: Page): Promise<() => Sharp> {
  const sharp = await loadSharp();
  const limits = { failOn: "error", limitInputPixels: MAX_PIXELS } as const;
  if (facts.format !== "bmp") {
    return () => sharp(bytes, { ...limits, page, autoOrient: true, sequentialRead: true });
  }
  const { data, width, height } = decodeBmp(bytes);
  return () => sharp(data, { ...limits, raw: { width, height, channels: 3 } });
}

function render(image: Sharp, { format, quality, longest }: Rendering, sourceLongest: number): Sharp {
  const fitted = longest < sourceLongest ? image.resize({ width: longest, height: longest, fit: "inside" }) : image;
  const flat = fitted.flatten({ background: "white" }).timeout({ seconds: TIMEOUT_SECONDS });
  return format === "png" ? flat.png() : flat.jpeg({ quality, chromaSubsampling: "4:4:4" });
}

interface Encoded {
  readonly data: Buffer;
  readonly info: OutputInfo;
}

function settle(image: Sharp, facts: PageFacts, signal: AbortSignal): Promise<Encoded> {
  return new Promise((resolve, reject) => {
    const cancel = () => reject(new CancelledError());
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    image
      .toBuffer({ resolveWithObject: true })
      .then(resolve, (error: Error) => reject(toImageError(error, facts)))
      .finally(() => signal.removeEventListener("abort", cancel));
  });
}

/** sharp has no codes: a timeout is told by its message's first word. Anything else is the decoder's refusal. */
function toImageError(error: Error, { format, rare }: PageFacts): ImageError {
  if (error.message.startsWith("timeout")) {
    return new ImageError("image-timeout", `the ${format} was not decoded within ${TIMEOUT_SECONDS} s`);
  }
  return rare
    ? new ImageError("image-unsupported", `the ${format} is of a rare form that the decoder does not know`)
    : new ImageError("image-corrupt", `the decoder found the ${format} damaged`);
}
