import type { ImageFormat } from "../domain/image.js";

const PNG_SIGNATURE = 0x89504e470d0a1a0an;

/** Header sizes of every BMP version: 12 (OS/2 1.x), 16 to 64 (OS/2 2.x, Windows 3), 52 to 124 (v2 to v5). */
const BMP_HEADER_SIZES = { core: 12, smallest: 16, largest: 124 };

/** The format by its first bytes; a file's name and what a caller says of it never count. Null is none that we read. */
export function sniffFormat(bytes: Buffer): ImageFormat | null {
  if (bytes.length < 18) return null;
  switch (bytes.readUInt16BE(0)) {
    case 0xffd8:
      return bytes[2] === 0xff ? "jpeg" : null;
    case 0x8950:
      return bytes.readBigUInt64BE(0) === PNG_SIGNATURE ? "png" : null;
    case 0x424d:
      return isBmpHeaderSize(bytes.readUInt32LE(14)) ? "bmp" : null;
    case 0x4949:
      return isTiffVersion(bytes.readUInt16LE(2)) ? "tiff" : null;
    case 0x4d4d:
      return isTiffVersion(bytes.readUInt16BE(2)) ? "tiff" : null;
    case 0x5249:
      return text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP" ? "webp" : null;
    default:
      return null;
  }
}

/** A word for files that people take for pictures we read, to say in a message what was got. */
export function describeOther(bytes: Buffer): string {
  const start = text(bytes, 0, 12);
  if (start.startsWith("%PDF")) return "a PDF";
  if (start.startsWith("GIF8")) return "a GIF";
  if (start.startsWith("PK\x03\x04")) return "a ZIP archive";
  if (/^(heic|heix|hevc|mif1|msf1)$/.test(start.slice(8))) return "a HEIC picture";
  if (start.slice(4, 8) === "ftyp") return "an AVIF picture or a film";
  if (/^\s*<(svg|\?xml|!doctype|html)/i.test(text(bytes, 0, 64))) return "SVG, XML or HTML";
  if (/^\0*$/.test(text(bytes, 0, 64))) return "nothing but zeros at its start";
  return "of no known picture format";
}

function isBmpHeaderSize(size: number): boolean {
  return size === BMP_HEADER_SIZES.core || (size >= BMP_HEADER_SIZES.smallest && size <= BMP_HEADER_SIZES.largest);
}

/** 42 is classic TIFF, 43 BigTIFF. */
function isTiffVersion(version: number): boolean {
  return version === 42 || version === 43;
}

function text(bytes: Buffer, from: number, to: number): string {
  return bytes.toString("latin1", from, Math.min(to, bytes.length));
}
