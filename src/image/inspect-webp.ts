import { ByteReader, corrupt } from "./byte-reader.js";
import { exifOrientation } from "./exif.js";
import type { PageFacts } from "./page-facts.js";

const ANIMATED = 0x02;
const MAX_CHUNKS = 100_000;

/**
 * Walks the RIFF chunks (RFC 9649): a lossy or lossless picture alone, or an extended file with metadata.
 * @throws ImageError `image-corrupt`
 */
export function inspectWebp(bytes: Buffer): PageFacts {
  const reader = new ByteReader(bytes, true);
  const end = 8 + reader.u32(4);
  reader.assertInside(0, end);
  let size: Size | undefined;
  let hasPicture = false;
  let orientation = 1;
  let at = 12;
  for (let count = 0; at + 8 <= end && count < MAX_CHUNKS; count++) {
    const type = bytes.toString("latin1", at, at + 4);
    const from = at + 8;
    const to = from + reader.u32(at + 4);
    if (to > end) throw corrupt("a WebP chunk that was cut short");
    size ??= readSize(reader, type, from);
    if (type === "VP8 " || type === "VP8L" || type === "ANMF") hasPicture = true;
    if (type === "EXIF") orientation = exifOrientation(bytes.subarray(from, to));
    at = to + (to % 2);
  }
  if (size === undefined || !hasPicture) throw corrupt("a WebP without a picture");
  const { width, height, animated } = size;
  return { format: "webp", width, height, orientation, pages: 1, bilevel: false, rare: animated };
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly animated: boolean;
}

function readSize(reader: ByteReader, type: string, at: number): Size | undefined {
  switch (type) {
    case "VP8 ":
      return assertSize({ width: reader.u16(at + 6) & 0x3fff, height: reader.u16(at + 8) & 0x3fff, animated: false });
    case "VP8L": {
      const packed = reader.u32(at + 1);
      return { width: (packed & 0x3fff) + 1, height: ((packed >>> 14) & 0x3fff) + 1, animated: false };
    }
    case "VP8X": {
      const animated = (reader.u8(at) & ANIMATED) !== 0;
      return { width: u24(reader, at + 4) + 1, height: u24(reader, at + 7) + 1, animated };
    }
    default:
      throw corrupt("a WebP that does not begin with a picture");
  }
}

function assertSize(size: Size): Size {
  if (size.width === 0 || size.height === 0) throw corrupt("a WebP without a size");
  return size;
}

function u24(reader: ByteReader, at: number): number {
  return reader.u16(at) | (reader.u8(at + 2) << 16);
}
