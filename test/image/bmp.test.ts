import { describe, expect, it } from "vitest";
import { ImageError } from "../../src/domain/errors.js";
import { decodeBmp, inspectBmp } from "../../src/image/bmp.js";
import { buildBmp, type Colour } from "./fixtures.js";

const WIDTH = 7;
const HEIGHT = 5;

/** Every colour is one that all depths can store exactly, so that one expectation serves the whole matrix. */
const PALETTE: readonly Colour[] = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 0],
  [255, 255, 255],
];
const TWO_COLOURS: readonly Colour[] = [
  [255, 255, 0],
  [0, 0, 255],
];

/** Differs in both directions, so that no mirrored or turned picture passes. */
const indexAt = (x: number, y: number, colours: number) => (x * 2 + y * 3 + (x === 0 ? 1 : 0)) % colours;

function expected(palette: readonly Colour[]): Buffer {
  const pixels: number[] = [];
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) pixels.push(...(palette[indexAt(x, y, palette.length)] ?? []));
  }
  return Buffer.from(pixels);
}

/** The pixel bytes: rows in the order of the file, each padded to four bytes. */
function rows(topDown: boolean, encodeRow: (y: number) => readonly number[]): Buffer {
  const bytes: number[] = [];
  for (let row = 0; row < HEIGHT; row++) {
    const encoded = encodeRow(topDown ? row : HEIGHT - 1 - row);
    bytes.push(...encoded, ...Array(-encoded.length & 3).fill(0xee));
  }
  return Buffer.from(bytes);
}

function packedRow(bitsPerPixel: number, colours: number) {
  return (y: number) => {
    const row = Array<number>(Math.ceil((WIDTH * bitsPerPixel) / 8)).fill(0);
    for (let x = 0; x < WIDTH; x++) {
      const at = (x * bitsPerPixel) >> 3;
      row[at] = (row[at] ?? 0) | (indexAt(x, y, colours) << (8 - bitsPerPixel - ((x * bitsPerPixel) & 7)));
    }
    return row;
  };
}

/** A row of colours, each made into its little-endian bytes. */
function colourRow(bytesPerPixel: number, pack: (colour: Colour) => number) {
  return (y: number) => {
    const row: number[] = [];
    for (let x = 0; x < WIDTH; x++) {
      const value = pack(PALETTE[indexAt(x, y, PALETTE.length)] ?? [0, 0, 0]);
      for (let byte = 0; byte < bytesPerPixel; byte++) row.push((value >>> (8 * byte)) & 0xff);
    }
    return row;
  };
}

const pack = (masks: readonly number[], filler = 0) => {
  const [red = 0, green = 0, blue = 0] = masks;
  return (colour: Colour) =>
    (colour[0] === 255 ? red : 0) | (colour[1] === 255 ? green : 0) | (colour[2] === 255 ? blue : 0) | filler;
};

const M555 = [0x7c00, 0x03e0, 0x001f];
const M565 = [0xf800, 0x07e0, 0x001f];
const MRGB = [0xff0000, 0x00ff00, 0x0000ff];
const MRGBX = [0xff000000, 0x00ff0000, 0x0000ff00];
const M10 = [0x3ff00000, 0x000ffc00, 0x000003ff];

/** Runs and literals in turn, with a move over what is index 0 anyway. */
const rle8 = (() => {
  const bytes: number[] = [];
  for (let y = HEIGHT - 1; y >= 0; y--) {
    const row = Array.from({ length: WIDTH }, (_, x) => indexAt(x, y, PALETTE.length));
    bytes.push(1, row[0] ?? 0, 0, 3, ...row.slice(1, 4), 0);
    for (const index of row.slice(4)) bytes.push(1, index);
    bytes.push(0, 0);
  }
  return Buffer.from([...bytes, 0, 1]);
})();

const rle4 = (() => {
  const bytes: number[] = [];
  for (let y = HEIGHT - 1; y >= 0; y--) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = Array.from({ length: WIDTH }, (_, x) =>
      indexAt(x, y, PALETTE.length),
    );
    bytes.push(2, (a << 4) | b, 0, 5, (c << 4) | d, (e << 4) | f, g << 4, 0, 0, 0);
  }
  return Buffer.from([...bytes, 0, 1]);
})();

const size = { width: WIDTH, height: HEIGHT };
const topDownSize = { width: WIDTH, height: -HEIGHT };
const indexed = (bitsPerPixel: number, palette: readonly Colour[], topDown = false) => ({
  ...(topDown ? topDownSize : size),
  bitsPerPixel,
  palette,
  pixels: rows(topDown, packedRow(bitsPerPixel, palette.length)),
});
const coloured = (bitsPerPixel: number, masks: readonly number[], filler = 0, topDown = false) => ({
  ...(topDown ? topDownSize : size),
  bitsPerPixel,
  pixels: rows(topDown, colourRow(bitsPerPixel / 8, pack(masks, filler))),
});

const MATRIX: readonly [name: string, file: Buffer, palette: readonly Colour[]][] = [
  ["1 bit", buildBmp(indexed(1, TWO_COLOURS)), TWO_COLOURS],
  ["1 bit, top-down", buildBmp(indexed(1, TWO_COLOURS, true)), TWO_COLOURS],
  ["2 bits", buildBmp(indexed(2, PALETTE.slice(0, 4))), PALETTE.slice(0, 4)],
  ["4 bits", buildBmp(indexed(4, PALETTE)), PALETTE],
  ["8 bits", buildBmp(indexed(8, PALETTE)), PALETTE],
  ["8 bits, top-down", buildBmp(indexed(8, PALETTE, true)), PALETTE],
  ["8 bits, OS/2 1.x", buildBmp({ ...indexed(8, PALETTE), headerSize: 12 }), PALETTE],
  ["8 bits, OS/2 2.x short", buildBmp({ ...indexed(8, PALETTE), headerSize: 16 }), PALETTE],
  ["8 bits, OS/2 2.x", buildBmp({ ...indexed(8, PALETTE), headerSize: 64 }), PALETTE],
  ["8 bits, v5", buildBmp({ ...indexed(8, PALETTE), headerSize: 124 }), PALETTE],
  ["RLE8", buildBmp({ ...indexed(8, PALETTE), compression: 1, pixels: rle8 }), PALETTE],
  ["RLE4", buildBmp({ ...indexed(4, PALETTE), compression: 2, pixels: rle4 }), PALETTE],
  ["16 bits", buildBmp(coloured(16, M555)), PALETTE],
  ["16 bits, fifteen used", buildBmp(coloured(16, M555, 0x8000)), PALETTE],
  ["16 bits, masks 5-6-5", buildBmp({ ...coloured(16, M565), compression: 3, masks: M565 }), PALETTE],
  ["24 bits", buildBmp(coloured(24, MRGB)), PALETTE],
  ["24 bits, top-down", buildBmp(coloured(24, MRGB, 0, true)), PALETTE],
  ["24 bits, OS/2 1.x", buildBmp({ ...coloured(24, MRGB), headerSize: 12 }), PALETTE],
  ["32 bits", buildBmp(coloured(32, MRGB)), PALETTE],
  ["32 bits, the fourth byte used", buildBmp(coloured(32, MRGB, 0x7f000000)), PALETTE],
  ["32 bits, masks", buildBmp({ ...coloured(32, MRGBX), compression: 3, masks: MRGBX }), PALETTE],
  ["32 bits, alpha masks", buildBmp({ ...coloured(32, MRGBX), compression: 6, masks: [...MRGBX, 0xff] }), PALETTE],
  ["32 bits, v2", buildBmp({ ...coloured(32, MRGBX), compression: 3, masks: MRGBX, headerSize: 52 }), PALETTE],
  ["32 bits, v4", buildBmp({ ...coloured(32, MRGBX), compression: 3, masks: MRGBX, headerSize: 108 }), PALETTE],
  [
    "32 bits, v5 of ten a colour",
    buildBmp({ ...coloured(32, M10), compression: 3, masks: M10, headerSize: 124 }),
    PALETTE,
  ],
];

describe("decodeBmp", () => {
  it.each(MATRIX)("reads each pixel of %s", (_name, file, palette) => {
    const { data, width, height } = decodeBmp(file);
    expect({ width, height }).toEqual({ width: WIDTH, height: HEIGHT });
    expect(data.equals(expected(palette))).toBe(true);
    expect(inspectBmp(file)).toMatchObject({ width: WIDTH, height: HEIGHT, orientation: 1, pages: 1 });
  });

  it("stretches five bits evenly over eight", () => {
    const pixels = Buffer.alloc(64);
    for (let level = 0; level < 32; level++) pixels.writeUInt16LE(level << 5, level * 2);
    const { data } = decodeBmp(buildBmp({ width: 32, height: 1, bitsPerPixel: 16, pixels }));
    const greens = Array.from({ length: 32 }, (_, level) => data[level * 3 + 1]);
    expect(greens).toEqual(Array.from({ length: 32 }, (_, level) => Math.round((level * 255) / 31)));
  });

  it("paints index 0 where RLE8 moves on or ends early, and black beyond the palette", () => {
    const pixels = Buffer.from([0, 2, 2, 1, 1, 2, 1, 9, 0, 1]);
    const file = buildBmp({
      width: 4,
      height: 3,
      bitsPerPixel: 8,
      compression: 1,
      palette: PALETTE.toReversed(),
      pixels,
    });
    const white = [255, 255, 255];
    const row = [...white, ...white, ...(PALETTE[3] ?? []), 0, 0, 0];
    const blank = Array(4).fill(white).flat();
    expect([...decodeBmp(file).data]).toEqual([...blank, ...row, ...blank]);
  });

  it("misses nothing when the last row has no padding", () => {
    const file = buildBmp(coloured(24, MRGB));
    expect(decodeBmp(file.subarray(0, -3)).data.equals(expected(PALETTE))).toBe(true);
    expect(() => decodeBmp(file.subarray(0, -4))).toThrow(ImageError);
  });

  it.each<[string, string, Buffer]>([
    ["image-corrupt", "no width", buildBmp({ ...coloured(24, MRGB), width: 0 })],
    ["image-corrupt", "a width below zero", buildBmp({ ...coloured(24, MRGB), width: -WIDTH })],
    ["image-corrupt", "no height", buildBmp({ ...coloured(24, MRGB), height: 0 })],
    ["image-corrupt", "more rows than there are", buildBmp({ ...coloured(24, MRGB), height: HEIGHT + 1 })],
    ["image-corrupt", "pixels inside the header", buildBmp({ ...coloured(24, MRGB), pixelsAt: 20 })],
    ["image-corrupt", "pixels past the end", buildBmp({ ...coloured(24, MRGB), pixelsAt: 0xfffffff0 })],
    [
      "image-corrupt",
      "a mask with a hole",
      buildBmp({ ...coloured(32, MRGB), compression: 3, masks: [0xf0f, 0xf0, 1] }),
    ],
    [
      "image-corrupt",
      "RLE8 out of its row",
      buildBmp({ ...indexed(8, PALETTE), compression: 1, pixels: Buffer.from([8, 1]) }),
    ],
    [
      "image-corrupt",
      "RLE8 out of its rows",
      buildBmp({ ...indexed(8, PALETTE), compression: 1, pixels: Buffer.from([0, 2, 0, 9, 1, 1]) }),
    ],
    [
      "image-corrupt",
      "RLE8 without an end",
      buildBmp({ ...indexed(8, PALETTE), compression: 1, pixels: rle8.subarray(0, -9) }),
    ],
    ["image-unsupported", "JPEG inside", buildBmp({ ...coloured(24, MRGB), compression: 4 })],
    ["image-unsupported", "RLE8 of four bits", buildBmp({ ...indexed(4, PALETTE), compression: 1 })],
    ["image-unsupported", "Huffman of OS/2", buildBmp({ ...coloured(32, MRGB), compression: 3, headerSize: 64 })],
    ["image-unsupported", "seven bits", buildBmp({ ...coloured(24, MRGB), bitsPerPixel: 7 })],
    ["image-too-large", "a lying size", buildBmp({ ...coloured(24, MRGB), width: 0x7fffffff, height: -0x80000000 })],
    [
      "image-too-large",
      "an RLE8 bomb",
      buildBmp({ ...indexed(8, PALETTE), compression: 1, width: 60_000, height: 60_000 }),
    ],
  ])("refuses with %s: %s", (code, _name, file) => {
    for (const read of [decodeBmp, inspectBmp]) expect(() => read(file)).toThrow(expect.objectContaining({ code }));
  });
});
