import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { CancelledError } from "../../src/domain/errors.js";
import type { ImageBounds } from "../../src/domain/image.js";
import { loadSharp } from "../../src/image/load-sharp.js";
import { prepareImage } from "../../src/image/prepare-image.js";
import {
  BOUNDS,
  buildBmp,
  buildTiff,
  type Colour,
  NEVER,
  photo,
  pngChunk,
  sampleFiles,
  sharpPhoto,
} from "./fixtures.js";

const coded = (code: string) => expect.objectContaining({ name: "ImageError", code });
const JPEG_ONLY: ImageBounds = { ...BOUNDS, formats: ["jpeg"] };
const CHANGED = { untouched: false, format: "jpeg" };

let files: Awaited<ReturnType<typeof sampleFiles>>;
beforeAll(async () => {
  files = await sampleFiles();
});

const prepare = (bytes: Buffer, bounds: Partial<ImageBounds> = {}, page = 0) =>
  prepareImage(bytes, page, { ...BOUNDS, ...bounds }, NEVER);

async function pixelsOf(bytes: Buffer) {
  const { data, info } = await sharp(bytes)
    .removeAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  return (x: number, y: number): number[] => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
}

async function meanDifference(bytes: Buffer, expected: Buffer): Promise<number> {
  const data = await sharp(bytes).raw().toBuffer();
  expect(data.length).toBe(expected.length);
  return data.reduce((sum, level, at) => sum + Math.abs(level - (expected[at] ?? 0)), 0) / data.length;
}

function expectNear(pixel: readonly number[], colour: Colour, tolerance: number) {
  const off = Math.max(...colour.map((level, channel) => Math.abs(level - (pixel[channel] ?? Number.NaN))));
  expect(off, `${pixel} for ${colour}`).toBeLessThanOrEqual(tolerance);
}

describe("what conforms", () => {
  it("goes out as the very same bytes, in every format that the provider takes", async () => {
    for (const [name, bytes] of Object.entries(files)) {
      const formats = [...BOUNDS.formats, "webp" as const];
      const before = Buffer.from(bytes);
      const prepared = await prepare(bytes, { formats });
      expect(prepared.bytes, name).toBe(bytes);
      expect(bytes.equals(before)).toBe(true);
      expect(prepared).toMatchObject({ untouched: true, width: 40, height: 32, pixelsPerSentPixel: 1 });
    }
  });

  it("is what just fits, and no longer what does not", async () => {
    const exact = { minSide: 32, maxSide: 40, maxBase64Bytes: Math.ceil(files.jpeg.length / 3) * 4 };
    expect((await prepare(files.jpeg, exact)).untouched).toBe(true);
    expect(await prepare(files.jpeg, { minSide: 31, maxSide: 39 })).toMatchObject({ ...CHANGED, width: 39 });
    expect(
      await prepare(files.jpeg, { ...exact, minSide: 10, maxBase64Bytes: exact.maxBase64Bytes - 1 }),
    ).toMatchObject(CHANGED);
    await expect(prepare(files.jpeg, { ...exact, minSide: 33 })).rejects.toEqual(coded("image-too-small"));
  });

  it("keeps what hides behind the picture, such as an archive: nothing of ours opens it", async () => {
    const polyglot = Buffer.concat([files.jpeg, Buffer.from("PK\x03\x04 an archive")]);
    expect((await prepare(polyglot)).bytes).toBe(polyglot);
  });
});

describe("what does not conform", () => {
  it("is converted to what the provider takes", async () => {
    expect(await prepare(files.webp)).toMatchObject({ ...CHANGED, width: 40, height: 32, pixelsPerSentPixel: 1 });
    for (const name of ["png", "bmp", "tiff", "tiled tiff", "lossless webp"] as const) {
      const prepared = await prepareImage(files[name], 0, JPEG_ONLY, NEVER);
      expect(prepared, name).toMatchObject({ ...CHANGED, width: 40, height: 32 });
      expect(await meanDifference(prepared.bytes, photo(40, 32)), name).toBeLessThan(8);
    }
  });

  it.each(["jpeg", "png", "webp", "tiff"] as const)("is set upright from each orientation of a %s", async (format) => {
    const [a, b, c, d]: Colour[] = [
      [200, 40, 40],
      [40, 200, 40],
      [40, 40, 200],
      [200, 200, 40],
    ];
    const corner = (colour: Colour | undefined) => ({ r: colour?.[0] ?? 0, g: colour?.[1] ?? 0, b: colour?.[2] ?? 0 });
    const tile = (colour: Colour | undefined, left: number, top: number) => ({
      input: { create: { width: 32, height: 16, channels: 3 as const, background: corner(colour) } },
      left,
      top,
    });
    const stored = sharp({ create: { width: 64, height: 32, channels: 3, background: "black" } }).composite([
      tile(a, 0, 0),
      tile(b, 32, 0),
      tile(c, 0, 16),
      tile(d, 32, 16),
    ]);
    const picture = await stored.png().toBuffer();
    const seen = [
      [a, b, c, d],
      [b, a, d, c],
      [d, c, b, a],
      [c, d, a, b],
      [a, c, b, d],
      [c, a, d, b],
      [d, b, c, a],
      [b, d, a, c],
    ];
    for (const [index, corners] of seen.entries()) {
      const turned = await sharp(picture)
        .withMetadata({ orientation: index + 1 })
        .toFormat(format)
        .toBuffer();
      const prepared = await prepare(turned);
      const [width, height] = index < 4 ? [64, 32] : [32, 64];
      const isUpright = index === 0 && format !== "webp";
      expect(prepared).toMatchObject({ width, height, untouched: isUpright, pixelsPerSentPixel: 1 });
      const pixel = await pixelsOf(prepared.bytes);
      const found = [pixel(4, 4), pixel(width - 5, 4), pixel(4, height - 5), pixel(width - 5, height - 5)];
      for (const [at, colour] of corners.entries()) if (colour) expectNear(found[at] ?? [], colour, 30);
      expect((await sharp(prepared.bytes).metadata()).orientation ?? 1).toBe(1);
    }
  });

  it("is fitted into the longest side, with the way back to its own pixels", async () => {
    const large = await sharpPhoto(400, 100).jpeg().toBuffer();
    expect(await prepare(large, { maxSide: 100 })).toMatchObject({ width: 100, height: 25, pixelsPerSentPixel: 4 });
    const turned = await sharpPhoto(400, 100).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await prepare(turned, { maxSide: 100 })).toMatchObject({ width: 25, height: 100, pixelsPerSentPixel: 4 });
  });

  it.each(["jpeg", "png"] as const)("is made smaller as %s until its base64 fits", async (format) => {
    const grainy = await sharpPhoto(600, 400).png().toBuffer();
    for (const maxBase64Bytes of [100_000, 20_000, 3_000]) {
      const prepared = await prepare(grainy, { maxBase64Bytes, formats: [format] });
      expect(prepared.bytes.toString("base64").length).toBeLessThanOrEqual(maxBase64Bytes);
      expect(prepared.pixelsPerSentPixel).toBeCloseTo(600 / prepared.width, 5);
    }
    await expect(prepare(grainy, { maxBase64Bytes: 300 })).rejects.toEqual(coded("image-too-large"));
  });

  it("stays black and white without loss, when it is not resized", async () => {
    const marks = sharpPhoto(64, 48).threshold().toColourspace("b-w");
    const fax = await marks.tiff({ compression: "ccittfax4", bitdepth: 1 }).toBuffer();
    const twoPages = { ...BOUNDS, formats: ["jpeg", "png"] as const };
    const prepared = await prepareImage(fax, 0, twoPages, NEVER);
    expect(prepared).toMatchObject({ format: "png", untouched: false, width: 64, height: 48 });
    const sent = await sharp(prepared.bytes).toColourspace("b-w").raw().toBuffer();
    expect(sent.equals(await sharp(fax).toColourspace("b-w").raw().toBuffer())).toBe(true);
    expect((await prepareImage(fax, 0, { ...twoPages, maxSide: 50 }, NEVER)).format).toBe("jpeg");
  });
});

describe("the pages of a TIFF", () => {
  const pages = buildTiff([10, 120, 240].map((grey) => ({ width: 40, height: 30, grey })));

  it("go out one by one", async () => {
    for (const [page, grey] of [10, 120, 240].entries()) {
      const prepared = await prepare(pages, {}, page);
      expect(prepared).toMatchObject({ ...CHANGED, width: 40, height: 30 });
      expectNear((await pixelsOf(prepared.bytes))(20, 15), [grey, grey, grey], 3);
    }
  });

  it("are set upright each by its own orientation", async () => {
    const second = { width: 40, height: 30, grey: 9, tags: [[274, 3, 6] as const] };
    const turned = buildTiff([{ width: 40, height: 30, grey: 9 }, second]);
    expect(await prepare(turned, {}, 0)).toMatchObject({ width: 40, height: 30 });
    expect(await prepare(turned, {}, 1)).toMatchObject({ width: 30, height: 40 });
  });

  it("are refused where there is none", async () => {
    await expect(prepare(pages, {}, 3)).rejects.toEqual(coded("image-page"));
    await expect(prepare(files.jpeg, {}, 1)).rejects.toEqual(coded("image-page"));
  });
});

describe("colours", () => {
  const colour: Colour = [200, 90, 60];
  const plain = (channels: 3 | 4, alpha = 1) =>
    sharp({ create: { width: 40, height: 30, channels, background: { r: 200, g: 90, b: 60, alpha } } });

  it.each<[string, () => Promise<Buffer>, Colour, number]>([
    ["16 bits", () => plain(3).toColourspace("rgb16").png().toBuffer(), colour, 4],
    ["16 bits of grey", () => plain(3).toColourspace("grey16").png().toBuffer(), [117, 117, 117], 6],
    ["a palette", () => plain(3).png({ palette: true }).toBuffer(), colour, 4],
    ["CMYK in JPEG", () => plain(3).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer(), colour, 25],
    ["CMYK in TIFF", () => plain(3).toColourspace("cmyk").tiff().toBuffer(), colour, 25],
    ["Lab in TIFF", () => plain(3).toColourspace("lab").tiff({ compression: "none" }).toBuffer(), colour, 6],
    ["a wide gamut", () => plain(3).withIccProfile("p3").png().toBuffer(), colour, 6],
    ["no opacity", () => plain(4, 0).png().toBuffer(), [255, 255, 255], 2],
    ["no opacity in 16 bits", () => plain(4, 0).toColourspace("rgb16").png().toBuffer(), [255, 255, 255], 2],
    ["half opacity", () => plain(4, 0.5).webp({ lossless: true }).toBuffer(), [228, 173, 158], 6],
  ])("come out as sRGB on white from %s", async (_name, make, expected, tolerance) => {
    const prepared = await prepareImage(await make(), 0, JPEG_ONLY, NEVER);
    expect(await sharp(prepared.bytes).metadata()).toMatchObject({ format: "jpeg", space: "srgb", depth: "uchar" });
    expectNear((await pixelsOf(prepared.bytes))(20, 15), expected, tolerance);
  });

  it("come out of a BMP's palette", async () => {
    const palette: Colour[] = [[0, 0, 0], colour];
    const bmp = buildBmp({ width: 32, height: 20, bitsPerPixel: 1, palette, pixels: Buffer.alloc(80, 0xff) });
    const prepared = await prepare(bmp, { formats: ["png"] });
    expect((await pixelsOf(prepared.bytes))(16, 10)).toEqual(colour);
  });
});

describe("what cannot be used", () => {
  const png = (width: number, height: number, data: Buffer) => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([1, 0], 8);
    const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
    return Buffer.concat([
      signature,
      pngChunk("IHDR", header),
      pngChunk("IDAT", data),
      pngChunk("IEND", Buffer.alloc(0)),
    ]);
  };

  it.each<[string, string, () => Buffer]>([
    [
      "image-too-large",
      "a bomb of 9,000² pixels in 10 kB",
      () => png(9000, 9000, deflateSync(Buffer.alloc(9000 * 1126))),
    ],
    [
      "image-too-large",
      "a BMP that says it is huge",
      () => buildBmp({ width: 99_999, height: 99_999, bitsPerPixel: 1, pixels: Buffer.alloc(99) }),
    ],
    ["image-too-small", "a single pixel", () => buildTiff([{ width: 1, height: 1, grey: 0 }])],
    ["image-too-small", "fourteen rows", () => buildTiff([{ width: 40, height: 14, grey: 0 }])],
    [
      "image-too-small",
      "a line that would be fitted to nothing",
      () => buildTiff([{ width: 20_000, height: 20, grey: 0 }]),
    ],
    ["image-corrupt", "a PNG whose checksums fit, but not its data", () => png(100, 100, Buffer.alloc(400, 7))],
    [
      "image-corrupt",
      "a JPEG without its tables",
      () =>
        Buffer.concat([files.jpeg.subarray(0, 20), files.jpeg.subarray(files.jpeg.indexOf("\xff\xc0", 0, "latin1"))]),
    ],
    [
      "image-unsupported",
      "a TIFF with JPEG of the old kind",
      () => buildTiff([{ width: 40, height: 30, grey: 0, tags: [[259, 3, 6]] }]),
    ],
    ["image-unsupported", "a PDF", () => Buffer.from("%PDF-1.7 and so on")],
    ["image-empty", "nothing", () => Buffer.alloc(0)],
  ])("fails with %s: %s", async (code, _name, make) => {
    await expect(prepareImage(make(), 0, { ...JPEG_ONLY, maxSide: 8000 }, NEVER)).rejects.toEqual(coded(code));
  });

  it("fails as cancelled when the signal fires, before or in the middle", async () => {
    await expect(prepareImage(files.jpeg, 0, BOUNDS, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
    const controller = new AbortController();
    const preparing = prepareImage(files.webp, 0, BOUNDS, controller.signal);
    controller.abort();
    await expect(preparing).rejects.toBeInstanceOf(CancelledError);
  });

  it("meets shut loaders, should it ever get past the sniffing", async () => {
    const locked = await loadSharp();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"/>');
    const gif = await sharpPhoto().gif().toBuffer();
    const avif = await sharpPhoto().avif().toBuffer();
    for (const bytes of [svg, gif, avif]) await expect(locked(bytes).metadata()).rejects.toThrow();
    for (const bytes of [files.jpeg, files.png, files.tiff, files.webp]) {
      await expect(locked(bytes).metadata()).resolves.toMatchObject({ width: 40 });
    }
  });
});
