import { ImageError } from "../domain/errors.js";
import { ByteReader, corrupt } from "./byte-reader.js";
import { MAX_PIXELS } from "./page-facts.js";

export type BmpCoding = "plain" | "rle8" | "rle4" | "masks";

export interface BmpHeader {
  readonly reader: ByteReader;
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  /** 1, 2, 4, 8 are indices into the palette; 16, 24, 32 are colours. */
  readonly bitsPerPixel: number;
  readonly coding: BmpCoding;
  /** Where red, green and blue stand in a pixel of 16 or 32 bits. */
  readonly masks: readonly [red: number, green: number, blue: number];
  readonly paletteAt: number;
  readonly paletteEntrySize: 3 | 4;
  readonly paletteLength: number;
  readonly pixelsAt: number;
  /** Bytes of a row as stored, a multiple of four. */
  readonly stride: number;
}

const FILE_HEADER_SIZE = 14;
const CORE_SIZE = 12;
const INFO_SIZE = 40;
const V2_SIZE = 52;
const OS2_SIZE = 64;

/** The `biCompression` that are read, and the depths each goes with. */
const CODINGS: ReadonlyMap<number, { readonly coding: BmpCoding; readonly depths: readonly number[] }> = new Map([
  [0, { coding: "plain", depths: [1, 2, 4, 8, 16, 24, 32] }],
  [1, { coding: "rle8", depths: [8] }],
  [2, { coding: "rle4", depths: [4] }],
  [3, { coding: "masks", depths: [16, 32] }],
  [6, { coding: "masks", depths: [16, 32] }],
]);
const ALPHA_MASKS = 6;

/** Without masks of their own, 16 bits are 5-5-5 and 32 bits are BGRX. */
const MASKS_16 = [0x7c00, 0x03e0, 0x001f] as const;
const MASKS_32 = [0xff0000, 0x00ff00, 0x0000ff] as const;

/**
 * The header of any version: OS/2 1.x and 2.x, Windows 3, v2 to v5 (Microsoft, "Bitmap Header Types").
 * @throws ImageError `image-corrupt`, `image-unsupported` for a coding that is not read, `image-too-large` past 8192²
 */
export function readBmpHeader(bytes: Buffer): BmpHeader {
  const reader = new ByteReader(bytes, true);
  const size = reader.u32(FILE_HEADER_SIZE);
  const pixelsAt = reader.u32(10);
  if (pixelsAt < FILE_HEADER_SIZE + size) throw corrupt("a BMP whose pixels begin inside its header");
  const shape = size === CORE_SIZE ? readCoreShape(reader) : readInfoShape(reader);
  const { width, height, bitsPerPixel } = shape;
  if (width <= 0 || height === 0) throw corrupt("a BMP without a size");
  if (width * Math.abs(height) > MAX_PIXELS) {
    throw new ImageError("image-too-large", `the BMP says it has ${width} × ${Math.abs(height)} pixels`);
  }
  const { coding, maskCount } = readCoding(reader, size, bitsPerPixel);
  const paletteAt = FILE_HEADER_SIZE + size + (size === INFO_SIZE ? maskCount * 4 : 0);
  const paletteEntrySize = size === CORE_SIZE ? 3 : 4;
  const room = Math.max(0, Math.floor((pixelsAt - paletteAt) / paletteEntrySize));
  return {
    reader,
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bitsPerPixel,
    coding,
    masks: readMasks(reader, maskCount, bitsPerPixel),
    paletteAt,
    paletteEntrySize,
    paletteLength: bitsPerPixel <= 8 ? Math.min(room, 2 ** bitsPerPixel) : 0,
    pixelsAt,
    stride: Math.ceil((width * bitsPerPixel) / 32) * 4,
  };
}

function readCoreShape(reader: ByteReader) {
  return { width: reader.u16(18), height: reader.u16(20), bitsPerPixel: reader.u16(24) };
}

function readInfoShape(reader: ByteReader) {
  return { width: reader.i32(18), height: reader.i32(22), bitsPerPixel: reader.u16(28) };
}

/** A header shorter than the field has no compression. OS/2 2.x numbers codings of its own from 3 on. */
function readCoding(reader: ByteReader, size: number, bitsPerPixel: number) {
  const compression = size >= 20 ? reader.u32(30) : 0;
  const known = size === OS2_SIZE && compression > 2 ? undefined : CODINGS.get(compression);
  if (known?.depths.includes(bitsPerPixel) !== true) {
    throw new ImageError("image-unsupported", `the BMP has coding ${compression} with ${bitsPerPixel} bits a pixel`);
  }
  const maskCount = known.coding !== "masks" ? 0 : compression === ALPHA_MASKS || size > V2_SIZE ? 4 : 3;
  return { coding: known.coding, maskCount };
}

/** Masks stand at the same place in every version: behind the Windows 3 header, or in the longer ones. */
function readMasks(reader: ByteReader, maskCount: number, bitsPerPixel: number): BmpHeader["masks"] {
  if (maskCount === 0) return bitsPerPixel === 16 ? MASKS_16 : MASKS_32;
  const at = FILE_HEADER_SIZE + INFO_SIZE;
  return [readMask(reader, at), readMask(reader, at + 4), readMask(reader, at + 8)];
}

/** Ones in a row; dividing by the lowest of them leaves one less than a power of two. */
function readMask(reader: ByteReader, at: number): number {
  const mask = reader.u32(at);
  const ones = mask === 0 ? 0 : mask / 2 ** lowestBit(mask);
  if ((ones & (ones + 1)) !== 0) throw corrupt("a BMP colour mask with a hole");
  return mask;
}

/** @param mask not 0 */
export function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
