import sharp from "sharp";
import type { Point } from "../domain/geometry.js";
import { engineError } from "./engine-error.js";

/** Longer sides are scaled down to this while decoding: digits of a whole card are then still 100 px high. */
export const MAX_SIDE_PX = 2048;
/** Down to this a picture is rather halved exactly, which JPEG does while decoding in a fraction of the time. */
const LEAST_HALVED_PX = 1600;
const MAX_PIXELS = 8192 * 8192;
/** Raster formats only: nothing that could refer to other files. */
const FORMATS = new Set(["jpeg", "png", "webp", "tiff"]);

/** RGB bytes, row by row. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A decoded page, upright by its EXIF tag. One pixel of `levels[n]` is 2^n pixels of `levels[0]`. */
export interface Picture {
  readonly levels: readonly Raster[];
  /** Pixels of the page as displayed for one pixel of `levels[0]`, across and down. */
  readonly scale: Point;
}

/**
 * Decodes one page.
 * @throws EngineError `engine-image` when the bytes are not a whole picture or it has over 8192² pixels
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  try {
    const input = sharp(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS, sequentialRead: true });
    const { format, width, height, orientation } = await input.metadata();
    if (!FORMATS.has(format)) throw new Error("a format that the engine does not read");
    const turned = orientation !== undefined && orientation >= 5;
    const side = longSideFor(Math.max(width, height));
    const { data, info } = await input
      .autoOrient()
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const full = { width: info.width, height: info.height, data: asRgb(data, info.channels) };
    const shown = turned ? { width: height, height: width } : { width, height };
    return { levels: await pyramid(full), scale: { x: shown.width / full.width, y: shown.height / full.height } };
  } catch (cause) {
    throw engineError("engine-image", "the picture could not be decoded", cause);
  }
}

function longSideFor(long: number): number {
  let halved = long;
  while (halved > MAX_SIDE_PX) halved = Math.floor(halved / 2);
  return halved >= LEAST_HALVED_PX ? halved : MAX_SIDE_PX;
}

function asRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const gray = channels < 3;
    for (let k = 0; k < 3; k++) out[i * 3 + k] = data[i * channels + (gray ? 0 : k)] ?? 0;
  }
  return out;
}

/** Halves until small: sampling always finds a level at which it skips no pixels. */
async function pyramid(full: Raster): Promise<Raster[]> {
  const levels = [full];
  for (let last = full; Math.min(last.width, last.height) >= 64 && Math.max(last.width, last.height) > 600; ) {
    last = await resizeRaster(last, Math.floor(last.width / 2), Math.floor(last.height / 2));
    levels.push(last);
  }
  return levels;
}

/** The raster averaged down (or stretched) to exactly `width` x `height`. */
export async function resizeRaster(raster: Raster, width: number, height: number): Promise<Raster> {
  const data = await sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: 3 } })
    .resize({ width, height, fit: "fill", kernel: "linear" })
    .raw()
    .toBuffer();
  return { width, height, data };
}
