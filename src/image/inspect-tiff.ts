import { ImageError } from "../domain/errors.js";
import { corrupt } from "./byte-reader.js";
import { toOrientation } from "./exif.js";
import type { PageFacts } from "./page-facts.js";
import { findTag, hasAllValues, listDirectories, openTiff, type TagNumbers, type TiffFile } from "./tiff-directory.js";

/** Tags of TIFF 6.0, section 8. */
const TAG = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planarConfiguration: 284,
  tileOffsets: 324,
  tileByteCounts: 325,
  sampleFormat: 339,
} as const;

const UNCOMPRESSED = 1;
const OLD_JPEG = 6;
const YCBCR = 6;

/** A strip for each of 8192 rows in four planes is 32,768; more than this is made to cost time. */
const MAX_STRIPS = 1_000_000;

/** How many pages: the directories of the chain. @throws ImageError `image-corrupt`, `image-too-large` */
export function countTiffPages(bytes: Buffer): number {
  return listDirectories(openTiff(bytes)).length;
}

/**
 * Reads the directory of one page and checks that its strips or tiles lie in the file.
 * @throws ImageError `image-corrupt`, `image-page` when there is no such page, `image-too-large` past 10,000 pages
 */
export function inspectTiff(bytes: Buffer, page: number): PageFacts {
  const tiff = openTiff(bytes);
  const directories = listDirectories(tiff);
  const directoryAt = directories[page];
  if (directoryAt === undefined) {
    throw new ImageError("image-page", `page ${page} was asked of a TIFF with ${directories.length}`);
  }
  const layout = readLayout(tiff, directoryAt);
  if (layout.compression !== OLD_JPEG) assertDataInside(tiff, directoryAt, layout);
  return {
    format: "tiff",
    width: layout.width,
    height: layout.height,
    orientation: toOrientation(findTag(tiff, directoryAt, TAG.orientation)?.number(0)),
    pages: directories.length,
    bilevel: layout.bits === 1 && layout.samples === 1,
    rare: layout.rare || !hasAllValues(tiff, directoryAt),
  };
}

type Layout = ReturnType<typeof readLayout>;

/** Common is classic TIFF with whole numbers in grey, palette, RGB or YCbCr. */
function readLayout(tiff: TiffFile, directoryAt: number) {
  const first = (tag: number, fallback: number) => findTag(tiff, directoryAt, tag)?.number(0) ?? fallback;
  const width = first(TAG.width, 0);
  const height = first(TAG.height, 0);
  if (width === 0 || height === 0) throw corrupt("a TIFF page without a size");
  const photometric = first(TAG.photometric, 0);
  const compression = first(TAG.compression, UNCOMPRESSED);
  const plainColours = photometric <= 3 || photometric === YCBCR;
  const rare = tiff.layout.big || !plainColours || compression === OLD_JPEG || first(TAG.sampleFormat, 1) !== 1;
  return {
    width,
    height,
    photometric,
    compression,
    rare,
    bits: first(TAG.bitsPerSample, 1),
    samples: first(TAG.samplesPerPixel, 1),
    planar: first(TAG.planarConfiguration, 1) === 2,
    rowsPerStrip: Math.max(1, Math.min(first(TAG.rowsPerStrip, height), height)),
  };
}

function assertDataInside(tiff: TiffFile, directoryAt: number, layout: Layout): void {
  const tiles = findTag(tiff, directoryAt, TAG.tileOffsets);
  const offsets = tiles ?? findTag(tiff, directoryAt, TAG.stripOffsets);
  const sizes = findTag(tiff, directoryAt, tiles === undefined ? TAG.stripByteCounts : TAG.tileByteCounts);
  if (offsets === undefined) throw corrupt("a TIFF page without data");
  const total = sumInside(tiff, offsets, sizes);
  if (tiles !== undefined) return;
  const planes = layout.planar ? layout.samples : 1;
  if (offsets.count < Math.ceil(layout.height / layout.rowsPerStrip) * planes) {
    throw corrupt("a TIFF page with fewer strips than its height takes");
  }
  if (sizes !== undefined && total < uncompressedSize(layout)) {
    throw corrupt("a TIFF page with less data than its picture takes");
  }
}

/** Old writers leave the sizes out where there is one strip to the end; then only the offsets can be checked. */
function sumInside({ reader }: TiffFile, offsets: TagNumbers, sizes: TagNumbers | undefined): number {
  if (offsets.count > MAX_STRIPS) throw corrupt("a TIFF page with more strips than there can be");
  if (sizes !== undefined && sizes.count < offsets.count) throw corrupt("a TIFF page with strips of unknown size");
  let total = 0;
  for (let index = 0; index < offsets.count; index++) {
    const size = sizes?.number(index) ?? 1;
    reader.assertInside(offsets.number(index), size);
    total += size;
  }
  return total;
}

/** Zero where the size cannot be told from the header: compressed, or colour that is stored at a lower resolution. */
function uncompressedSize({ compression, photometric, width, height, bits, samples }: Layout): number {
  if (compression !== UNCOMPRESSED || photometric === YCBCR) return 0;
  return height * Math.floor((width * bits * samples) / 8);
}
