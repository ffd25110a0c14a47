import type { PreparedImage } from "../../src/domain/image.js";
import { inspectPage } from "../../src/image/inspect-page.js";
import type { PictureHeader } from "../../src/providers/vendor-server.js";

/** A small real picture (BMP, 24 bit), different for every seed. */
export function drawPicture(seed: number, width = 16, height = 16): Buffer {
  const rowBytes = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + rowBytes * height, 0x7f);
  bytes.write("BM", 0, "latin1");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(0, 6);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  bytes.fill(0, 30, 54);
  bytes.writeUInt32LE(seed, 54);
  return bytes;
}

export function preparePicture(bytes: Buffer, pixelsPerSentPixel = 1): PreparedImage {
  const { format, width, height } = inspectPage(bytes, 0);
  return { bytes, format, width, height, pixelsPerSentPixel, untouched: pixelsPerSentPixel === 1 };
}

/** A picture's header as the emulator asks for it. */
export function inspectPicture(bytes: Buffer): PictureHeader | null {
  try {
    return inspectPage(bytes, 0);
  } catch {
    return null;
  }
}
