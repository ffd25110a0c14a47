import { ImageError } from "../domain/errors.js";
import { inspectBmp } from "./bmp.js";
import { inspectJpeg } from "./inspect-jpeg.js";
import { inspectPng } from "./inspect-png.js";
import { countTiffPages, inspectTiff } from "./inspect-tiff.js";
import { inspectWebp } from "./inspect-webp.js";
import type { PageFacts } from "./page-facts.js";
import { describeOther, sniffFormat } from "./sniff.js";

/**
 * What one page is, and that its file is whole, from headers and structure alone: tens of microseconds, no decode.
 * Total on any bytes.
 * @param page counted from 0; only TIFF has others
 * @throws ImageError `image-empty`, `image-unsupported`, `image-corrupt`, `image-page`, `image-too-large`
 */
export function inspectPage(bytes: Buffer, page: number): PageFacts {
  if (bytes.length === 0) throw new ImageError("image-empty", "the file has no bytes");
  const format = sniffFormat(bytes);
  if (format === null) throw new ImageError("image-unsupported", `the file is ${describeOther(bytes)}`);
  if (format === "tiff") return inspectTiff(bytes, page);
  if (page !== 0) throw new ImageError("image-page", `page ${page} was asked of a file with one`);
  switch (format) {
    case "jpeg":
      return inspectJpeg(bytes);
    case "png":
      return inspectPng(bytes);
    case "webp":
      return inspectWebp(bytes);
    case "bmp":
      return inspectBmp(bytes);
  }
}

/**
 * How many requests a file makes: the directories of a TIFF, one for anything else, whether it can be read or not.
 * @throws ImageError `image-corrupt` when a TIFF's pages cannot be counted, `image-too-large` past 10,000
 */
export function countPages(bytes: Buffer): number {
  return sniffFormat(bytes) === "tiff" ? countTiffPages(bytes) : 1;
}
