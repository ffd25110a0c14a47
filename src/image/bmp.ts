import { type BmpHeader, lowestBit, readBmpHeader } from "./bmp-header.js";
import { unpackRle } from "./bmp-rle.js";
import type { PageFacts } from "./page-facts.js";

/** Rows from the top, three bytes (red, green, blue) a pixel. */
export interface RawPicture {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

/**
 * Reads the header and finds out whether the pixels are all there; run lengths are followed to their end for that.
 * @throws ImageError `image-corrupt`, `image-unsupported`, `image-too-large`
 */
export function inspectBmp(bytes: Buffer): PageFacts {
  const header = readBmpHeader(bytes);
  if (isRle(header)) unpackRle(header);
  else assertRowsInside(header);
  const { width, height, bitsPerPixel } = header;
  return { format: "bmp", width, height, orientation: 1, pages: 1, bilevel: bitsPerPixel === 1, rare: false };
}

/**
 * Decodes a BMP, which sharp cannot: 1 to 8 bits with palette, RLE4, RLE8, 16, 24 and 32 bits with or without masks,
 * bottom-up or top-down. Alpha is left out, as it is by most that read BMP.
 * @throws ImageError `image-corrupt`, `image-unsupported`, `image-too-large`
 */
export function decodeBmp(bytes: Buffer): RawPicture {
  const header = readBmpHeader(bytes);
  const { width, height } = header;
  const data = Buffer.alloc(width * height * 3);
  if (isRle(header)) paintIndices(header, data, unpackRle(header));
  else {
    assertRowsInside(header);
    if (header.bitsPerPixel <= 8) paintIndices(header, data, unpackIndices(header));
    else if (header.bitsPerPixel === 24) paintBgr(header, data);
    else paintMasked(header, data);
  }
  return { data, width, height };
}

function isRle({ coding }: BmpHeader): boolean {
  return coding === "rle8" || coding === "rle4";
}

/** Some writers leave the padding of the last row out. */
function assertRowsInside({ reader, pixelsAt, stride, width, height, bitsPerPixel }: BmpHeader): void {
  reader.assertInside(pixelsAt, stride * (height - 1) + Math.ceil((width * bitsPerPixel) / 8));
}

/** Where a stored row goes in the picture. @unit bytes */
function rowStart({ topDown, width, height }: BmpHeader, row: number): number {
  return (topDown ? row : height - 1 - row) * width * 3;
}

/** One index a byte, rows in the order they are stored. */
function unpackIndices({ reader: { bytes }, pixelsAt, stride, width, height, bitsPerPixel }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height);
  const mask = 2 ** bitsPerPixel - 1;
  let to = 0;
  for (let row = 0; row < height; row++) {
    const rowAt = pixelsAt + row * stride;
    for (let bit = 0; bit < width * bitsPerPixel; bit += bitsPerPixel) {
      const byte = bytes[rowAt + (bit >> 3)] ?? 0;
      indices[to++] = (byte >> (8 - bitsPerPixel - (bit & 7))) & mask;
    }
  }
  return indices;
}

/** An index beyond the palette is black. */
function paintIndices(header: BmpHeader, data: Buffer, indices: Uint8Array): void {
  const { width, height } = header;
  const palette = readPalette(header);
  let from = 0;
  for (let row = 0; row < height; row++) {
    let to = rowStart(header, row);
    for (let x = 0; x < width; x++) {
      const colour = (indices[from++] ?? 0) * 3;
      data[to++] = palette[colour] ?? 0;
      data[to++] = palette[colour + 1] ?? 0;
      data[to++] = palette[colour + 2] ?? 0;
    }
  }
}

/** Red, green, blue of all 256 indices. */
function readPalette({ reader, paletteAt, paletteEntrySize, paletteLength }: BmpHeader): Uint8Array {
  const palette = new Uint8Array(256 * 3);
  for (let index = 0; index < paletteLength; index++) {
    const at = paletteAt + index * paletteEntrySize;
    palette.set([reader.u8(at + 2), reader.u8(at + 1), reader.u8(at)], index * 3);
  }
  return palette;
}

function paintBgr(header: BmpHeader, data: Buffer): void {
  const { bytes } = header.reader;
  for (let row = 0; row < header.height; row++) {
    let from = header.pixelsAt + row * header.stride;
    let to = rowStart(header, row);
    for (let x = 0; x < header.width; x++, from += 3) {
      data[to++] = bytes[from + 2] ?? 0;
      data[to++] = bytes[from + 1] ?? 0;
      data[to++] = bytes[from] ?? 0;
    }
  }
}

function paintMasked(header: BmpHeader, data: Buffer): void {
  const { reader, masks, bitsPerPixel } = header;
  const [red, green, blue] = [channel(masks[0]), channel(masks[1]), channel(masks[2])];
  for (let row = 0; row < header.height; row++) {
    let from = header.pixelsAt + row * header.stride;
    let to = rowStart(header, row);
    for (let x = 0; x < header.width; x++, from += bitsPerPixel / 8) {
      const pixel = bitsPerPixel === 16 ? reader.u16(from) : reader.u32(from);
      data[to++] = red.levels[(pixel >>> red.shift) & red.top] ?? 0;
      data[to++] = green.levels[(pixel >>> green.shift) & green.top] ?? 0;
      data[to++] = blue.levels[(pixel >>> blue.shift) & blue.top] ?? 0;
    }
  }
}

/** How to take a channel out of a pixel; of a mask wider than eight bits the upper eight count. */
function channel(mask: number) {
  if (mask === 0) return { shift: 0, top: 0, levels: Uint8Array.of(0) };
  const low = lowestBit(mask);
  const width = 32 - Math.clz32(mask) - low;
  const bits = Math.min(width, 8);
  const top = 2 ** bits - 1;
  const levels = Uint8Array.from({ length: top + 1 }, (_, level) => Math.round((level * 255) / top));
  return { shift: low + width - bits, top, levels };
}
