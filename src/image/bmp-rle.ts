import type { BmpHeader } from "./bmp-header.js";
import { corrupt } from "./byte-reader.js";

const END_OF_ROW = 0;
const END_OF_PICTURE = 1;
const MOVE = 2;

/**
 * Unpacks RLE8 or RLE4 to one index a byte, rows in the order they are stored; what the code skips over is index 0.
 * Each step takes at least two bytes of the file, so it ends with it.
 * @throws ImageError `image-corrupt` when the code leaves the picture or the file ends before it
 */
export function unpackRle({ reader, width, height, pixelsAt, coding }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height);
  const nibbles = coding === "rle4";
  let at = pixelsAt;
  let x = 0;
  let y = 0;
  const assertInside = (isInside: boolean) => {
    if (!isInside) throw corrupt("a BMP whose run lengths leave the picture");
  };
  const put = (index: number) => {
    assertInside(x < width);
    indices[y * width + x++] = index;
  };
  const nibble = (byte: number, index: number) => (index % 2 === 0 ? byte >> 4 : byte & 15);

  while (y < height) {
    const count = reader.u8(at);
    const value = reader.u8(at + 1);
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibbles ? nibble(value, i) : value);
    } else if (value === END_OF_ROW) {
      x = 0;
      y++;
    } else if (value === END_OF_PICTURE) {
      return indices;
    } else if (value === MOVE) {
      x += reader.u8(at);
      y += reader.u8(at + 1);
      at += 2;
      assertInside(x <= width && y < height);
    } else {
      for (let i = 0; i < value; i++) put(nibbles ? nibble(reader.u8(at + (i >> 1)), i) : reader.u8(at + i));
      const size = nibbles ? Math.ceil(value / 2) : value;
      at += size + (size % 2);
    }
  }
  return indices;
}
