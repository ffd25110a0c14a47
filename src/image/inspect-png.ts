import { crc32 } from "node:zlib";
import { ByteReader, corrupt } from "./byte-reader.js";
import { exifOrientation } from "./exif.js";
import type { PageFacts } from "./page-facts.js";

/** Chunk types as the four letters' number. */
const IHDR = 0x49484452;
const IDAT = 0x49444154;
const IEND = 0x49454e44;
const EXIF = 0x65584966;

/** Writers cut the data into pieces of 8 kB or more; a file with more chunks than this is made to cost time. */
const MAX_CHUNKS = 100_000;

/** Deflate makes at most 258 bytes of 2 bits. */
const MAX_INFLATION = 1032;

/** Channels a pixel by colour type, and the depths each may have (PNG third edition, table 11.1). */
const COLOUR_TYPES: ReadonlyMap<number, { readonly channels: number; readonly depths: readonly number[] }> = new Map([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 1, depths: [1, 2, 4, 8] }],
  [4, { channels: 2, depths: [8, 16] }],
  [6, { channels: 4, depths: [8, 16] }],
]);

/**
 * Walks all chunks to the end, with the checksum of each that the picture needs.
 * @throws ImageError `image-corrupt`
 */
export function inspectPng(bytes: Buffer): PageFacts {
  const reader = new ByteReader(bytes, false);
  const header = readHeader(reader);
  let dataSize = 0;
  let orientation = 1;
  for (const { type, from, to } of chunks(reader)) {
    if (type === IDAT) dataSize += to - from;
    // Behind the data it is what decoders, ours among them, do not look at any more.
    else if (type === EXIF && dataSize === 0) orientation = exifOrientation(bytes.subarray(from, to));
    else if (type === IEND) {
      if (dataSize * MAX_INFLATION < header.rawSize) throw corrupt("a PNG with less data than its picture takes");
      const { width, height, bilevel } = header;
      return { format: "png", width, height, orientation, pages: 1, bilevel, rare: false };
    }
  }
  throw corrupt("a PNG without an end");
}

interface Chunk {
  readonly type: number;
  readonly from: number;
  readonly to: number;
}

function* chunks(reader: ByteReader): Generator<Chunk> {
  let at = 8;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    const type = reader.u32(at + 4);
    const from = at + 8;
    const to = from + reader.u32(at);
    const checksum = reader.u32(to);
    if (isCritical(type) && crc32(reader.bytes.subarray(at + 4, to)) !== checksum) {
      throw corrupt("a PNG chunk whose checksum does not fit");
    }
    yield { type, from, to };
    at = to + 4;
  }
}

/** The first letter of a chunk that decoders need is a capital. */
function isCritical(type: number): boolean {
  return (type & 0x20000000) === 0;
}

function readHeader(reader: ByteReader) {
  if (reader.u32(8) !== 13 || reader.u32(12) !== IHDR) throw corrupt("a PNG that does not begin with its header");
  const width = reader.u32(16);
  const height = reader.u32(20);
  const depth = reader.u8(24);
  const colour = COLOUR_TYPES.get(reader.u8(25));
  if (width === 0 || height === 0 || colour?.depths.includes(depth) !== true) {
    throw corrupt("a PNG header with an impossible size or depth");
  }
  const rawSize = height * (1 + Math.ceil((width * depth * colour.channels) / 8));
  return { width, height, bilevel: depth === 1, rawSize };
}
