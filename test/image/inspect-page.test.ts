import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { ImageError } from "../../src/domain/errors.js";
import { countPages, inspectPage } from "../../src/image/inspect-page.js";
import { buildTiff, photo, pngChunk, sampleFiles, sharpPhoto } from "./fixtures.js";

let files: Awaited<ReturnType<typeof sampleFiles>>;
beforeAll(async () => {
  files = await sampleFiles();
});

const coded = (code: string) => expect.objectContaining({ name: "ImageError", code });

/** Where the first segment of a plain JPEG ends. */
const JFIF_END = 20;

/** Sound enough to go out as it is, or to be counted on when it is decoded. */
function isWhole(bytes: Buffer): boolean {
  try {
    return !inspectPage(bytes, 0).rare;
  } catch (error) {
    if (error instanceof ImageError) return false;
    throw error;
  }
}

/** A copy with the bytes at `at` replaced; below zero counts from the end. */
function patched(bytes: Buffer, at: number, patch: readonly number[]): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(patch, at < 0 ? bytes.length + at : at);
  return copy;
}

function spliced(bytes: Buffer, at: number, insert: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at)]);
}

describe("inspectPage", () => {
  it("finds size and format of every kind", () => {
    for (const [name, bytes] of Object.entries(files)) {
      const format = name.split(" ").at(-1)?.replace("progressive", "jpeg");
      const facts = { format, width: 40, height: 32, orientation: 1, pages: 1, bilevel: false, rare: false };
      expect(inspectPage(bytes, 0), name).toEqual(facts);
    }
  });

  it.each(["jpeg", "png", "tiff", "webp"] as const)("finds the eight orientations of a %s", async (format) => {
    const found = [];
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await sharpPhoto().withMetadata({ orientation }).toFormat(format).toBuffer();
      found.push(inspectPage(bytes, 0).orientation);
    }
    expect(found).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("takes a picture for upright when its EXIF block is broken or says something impossible", () => {
    const blocks = ["Exif\0\0", "Exif\0\0II*\0\xff\xff\xff\xff", "Exif\0\0II*\0\x08\0\0\0\xff\xff"];
    for (const block of [...blocks, `Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0`]) {
      const segment = Buffer.from(`\xff\xe1\0${String.fromCharCode(block.length + 2)}${block}`, "latin1");
      expect(inspectPage(spliced(files.jpeg, 2, segment), 0)).toMatchObject({ orientation: 1, width: 40 });
    }
  });

  it("tells the rare forms, which are never passed through", async () => {
    const cmyk = await sharpPhoto().toColourspace("cmyk").jpeg().toBuffer();
    const cmykTiff = await sharpPhoto().toColourspace("cmyk").tiff().toBuffer();
    const bigTiff = await sharpPhoto().tiff({ bigtiff: true }).toBuffer();
    const two = sharp(photo(40, 64), { raw: { width: 40, height: 64, channels: 3, pageHeight: 32 } });
    const animated = await two.webp({ loop: 0, delay: [100, 100] }).toBuffer();
    const strayBytes = spliced(files.jpeg, JFIF_END, Buffer.from([1, 2, 3]));
    for (const bytes of [cmyk, cmykTiff, bigTiff, animated, strayBytes]) {
      expect(inspectPage(bytes, 0)).toMatchObject({ width: 40, height: 32, rare: true });
    }
  });

  it("does not mind what follows the picture", () => {
    const junk = Buffer.from(`\xff\xd8 a second picture, or a film \xff ${"\0".repeat(99)}`, "latin1");
    for (const [name, bytes] of Object.entries(files)) {
      expect(inspectPage(Buffer.concat([bytes, junk]), 0), name).toEqual(inspectPage(bytes, 0));
    }
  });

  it("never takes a file for whole that was cut anywhere", () => {
    for (const [name, bytes] of Object.entries(files)) {
      const whole = Array.from(bytes.keys()).filter((length) => isWhole(bytes.subarray(0, length)));
      expect(whole, `${name} of ${bytes.length} bytes`).toEqual([]);
    }
  });

  it("refuses a JPEG whose coded data was overwritten or filled with zeros to its end", () => {
    const middle = Math.floor(files.jpeg.length * 0.8);
    const foreign = Buffer.from("text of another file \xff\x12 and more", "latin1");
    expect(() => inspectPage(patched(files.jpeg, middle, [...foreign]), 0)).toThrow(coded("image-corrupt"));
    expect(() => inspectPage(Buffer.from(files.jpeg).fill(0, middle), 0)).toThrow(coded("image-corrupt"));
  });

  it.each<[string, () => Buffer]>([
    [
      "a JPEG of 65,000² in a few bytes",
      () => patched(files.jpeg, files.jpeg.indexOf("\xff\xc0", 0, "latin1") + 5, [0xfd, 0xe8, 0xfd, 0xe8]),
    ],
    ["a JPEG without height", () => patched(files.jpeg, files.jpeg.indexOf("\xff\xc0", 0, "latin1") + 5, [0, 0])],
    ["a JPEG with an empty segment length", () => patched(files.jpeg, 4, [0, 0])],
    ["a JPEG of nothing but fill bytes", () => Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(50_000, 0xff)])],
    [
      "a JPEG that is only header and end",
      () => Buffer.concat([files.jpeg.subarray(0, 20), Buffer.from([0xff, 0xd9])]),
    ],
    ["a PNG with a wrong checksum", () => patched(files.png, 60, [1, 2, 3])],
    ["a PNG whose size was changed", () => patched(files.png, 18, [0xff])],
    ["a PNG with an impossible depth", () => patched(files.png, 24, [7])],
    ["a PNG that begins with data", () => Buffer.concat([files.png.subarray(0, 8), pngChunk("IDAT", Buffer.alloc(9))])],
    ["a PNG without data", () => Buffer.concat([files.png.subarray(0, 33), pngChunk("IEND", Buffer.alloc(0))])],
    [
      "a PNG of 4,000² in a few bytes",
      () =>
        Buffer.concat([
          files.png.subarray(0, 8),
          pngChunk("IHDR", Buffer.from([0, 0, 15, 160, 0, 0, 15, 160, 8, 2, 0, 0, 0])),
          pngChunk("IDAT", Buffer.alloc(99)),
          pngChunk("IEND", Buffer.alloc(0)),
        ]),
    ],
    [
      "a PNG of countless empty chunks",
      () => Buffer.concat([files.png.subarray(0, 33), ...Array(100_000).fill(pngChunk("IDAT", Buffer.alloc(0)))]),
    ],
    ["a WebP longer than its file", () => patched(files.webp, 4, [0xff, 0xff])],
    ["a WebP whose chunk runs out of it", () => patched(files.webp, 16, [0xff, 0xff])],
    ["a WebP of metadata alone", () => patched(files.webp, 12, [...Buffer.from("EXIF")])],
  ])("refuses %s", (_name, make) => {
    expect(() => inspectPage(make(), 0)).toThrow(coded("image-corrupt"));
  });

  it("refuses what is no picture and what has no bytes", () => {
    expect(() => inspectPage(Buffer.alloc(0), 0)).toThrow(coded("image-empty"));
    for (const text of ["x", "GIF89a...", "%PDF-1.7 ....", "<svg/>", "\0".repeat(5000)]) {
      expect(() => inspectPage(Buffer.from(text), 0)).toThrow(coded("image-unsupported"));
    }
  });

  it("has one page in all but TIFF", () => {
    for (const [name, bytes] of Object.entries(files)) {
      expect(countPages(bytes), name).toBe(1);
      expect(() => inspectPage(bytes, 1), name).toThrow(coded("image-page"));
    }
    expect(countPages(Buffer.from("no picture at all, but text"))).toBe(1);
    expect(countPages(buildTiff([{ width: 20, height: 20, grey: 1 }]))).toBe(1);
  });
});
