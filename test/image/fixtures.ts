import { crc32 } from "node:zlib";
import sharp from "sharp";
import type { ImageBounds } from "../../src/domain/image.js";

/** Pictures and files for the tests of this folder, made on the spot; the hostile ones byte by byte. */

export const BOUNDS: ImageBounds = {
  formats: ["jpeg", "png", "bmp", "tiff"],
  minSide: 15,
  maxSide: 8192,
  maxBase64Bytes: 10_000_000,
};

export const NEVER = new AbortController().signal;

export type Colour = readonly [red: number, green: number, blue: number];

/** Soft waves with a little grain: compresses like a photograph. */
export function photo(width: number, height: number): Buffer {
  const data = Buffer.alloc(width * height * 3);
  let grain = 1;
  for (let i = 0; i < data.length; i++) {
    grain = (grain * 1103515245 + 12345) & 0x7fffffff;
    data[i] = 128 + 90 * Math.sin(i / 700) + ((grain >> 16) % 25);
  }
  return data;
}

export function sharpPhoto(width = 40, height = 32) {
  return sharp(photo(width, height), { raw: { width, height, channels: 3 } });
}

/** The file formats that are read, each as sharp (or `bmp` below) writes it. */
export async function sampleFiles(width = 40, height = 32) {
  const source = sharpPhoto(width, height);
  return {
    jpeg: await source.clone().jpeg().toBuffer(),
    progressive: await source.clone().jpeg({ progressive: true }).toBuffer(),
    png: await source.clone().png().toBuffer(),
    bmp: bmp24(width, height),
    tiff: await source.clone().tiff({ compression: "lzw" }).toBuffer(),
    "tiled tiff": await source.clone().tiff({ tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
    webp: await source.clone().webp().toBuffer(),
    "lossless webp": await source.clone().webp({ lossless: true }).toBuffer(),
  };
}

/** The width must be a multiple of four, so that rows need no padding. */
function bmp24(width: number, height: number): Buffer {
  const pixels = photo(width, height);
  for (let at = 0; at < pixels.length; at += 3) pixels.subarray(at, at + 3).reverse();
  return buildBmp({ width, height: -height, bitsPerPixel: 24, pixels });
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

interface BmpParts {
  readonly width: number;
  /** Below zero for rows from the top. */
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly pixels: Uint8Array;
  readonly headerSize?: number;
  readonly compression?: number;
  readonly palette?: readonly Colour[];
  readonly masks?: readonly number[];
  /** Written into the file header in place of the true one. */
  readonly pixelsAt?: number;
}

/** A BMP of any version around pixel bytes that are ready to be stored. */
export function buildBmp(parts: BmpParts): Buffer {
  const { width, height, bitsPerPixel, pixels, headerSize = 40, compression = 0, palette = [], masks = [] } = parts;
  const isCore = headerSize === 12;
  const masksOutside = headerSize === 40 ? masks.length * 4 : 0;
  const paletteAt = 14 + headerSize + masksOutside;
  const pixelsAt = paletteAt + palette.length * (isCore ? 3 : 4);
  const file = Buffer.alloc(pixelsAt + pixels.length);
  file.write("BM", 0, "latin1");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(parts.pixelsAt ?? pixelsAt, 10);
  file.writeUInt32LE(headerSize, 14);
  if (isCore) {
    file.writeUInt16LE(width, 18);
    file.writeUInt16LE(height, 20);
    file.writeUInt16LE(1, 22);
    file.writeUInt16LE(bitsPerPixel, 24);
  } else {
    file.writeInt32LE(width, 18);
    file.writeInt32LE(height, 22);
    file.writeUInt16LE(1, 26);
    file.writeUInt16LE(bitsPerPixel, 28);
    if (headerSize >= 20) file.writeUInt32LE(compression, 30);
    if (headerSize >= 36) file.writeUInt32LE(palette.length, 46);
  }
  for (const [index, mask] of masks.entries()) file.writeUInt32LE(mask >>> 0, 54 + index * 4);
  for (const [index, [red, green, blue]] of palette.entries()) {
    file.set([blue, green, red], paletteAt + index * (isCore ? 3 : 4));
  }
  file.set(pixels, pixelsAt);
  return file;
}

type Tag = readonly [tag: number, type: number, value: number];

export interface TiffPage {
  readonly width: number;
  readonly height: number;
  /** One byte a pixel. */
  readonly grey: number;
  readonly tags?: readonly Tag[];
}

/** A classic TIFF of plain grey pages; `nextOfLast` is the offset that ends the chain, 0 in honest files. */
export function buildTiff(
  pages: readonly TiffPage[],
  { bigEndian = false, nextOfLast = 0 }: { bigEndian?: boolean; nextOfLast?: number } = {},
): Buffer {
  const chunks: Buffer[] = [];
  let end = 0;
  const append = (chunk: Buffer) => {
    chunks.push(chunk);
    end += chunk.length;
  };
  const u16 = (target: Buffer, value: number, at: number) =>
    bigEndian ? target.writeUInt16BE(value, at) : target.writeUInt16LE(value, at);
  const u32 = (target: Buffer, value: number, at: number) =>
    bigEndian ? target.writeUInt32BE(value, at) : target.writeUInt32LE(value, at);
  const header = Buffer.alloc(8);
  header.write(bigEndian ? "MM" : "II", 0, "latin1");
  u16(header, 42, 2);
  u32(header, 8, 4);
  append(header);
  for (const [index, page] of pages.entries()) {
    const tags = pageTags(page);
    const directorySize = 2 + tags.length * 12 + 4;
    const pixels = Buffer.alloc(page.width * page.height, page.grey);
    const pixelsAt = end + directorySize;
    const directory = Buffer.alloc(directorySize);
    u16(directory, tags.length, 0);
    for (const [row, [tag, type, value]] of tags.entries()) {
      const at = 2 + row * 12;
      u16(directory, tag, at);
      u16(directory, type, at + 2);
      u32(directory, 1, at + 4);
      const stored = tag === 273 ? pixelsAt : value;
      if (type === 3) u16(directory, stored, at + 8);
      else u32(directory, stored, at + 8);
    }
    u32(directory, index === pages.length - 1 ? nextOfLast : pixelsAt + pixels.length, directorySize - 4);
    append(directory);
    append(pixels);
  }
  return Buffer.concat(chunks);
}

function pageTags({ width, height, tags = [] }: TiffPage): readonly Tag[] {
  const plain: Tag[] = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 0],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, width * height],
  ];
  const own = new Map(tags.map((tag) => [tag[0], tag]));
  const merged = new Map([...plain.map((tag) => [tag[0], tag] as const), ...own]);
  return [...merged.values()].sort((a, b) => a[0] - b[0]);
}
