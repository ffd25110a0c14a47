import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { countTiffPages, inspectTiff } from "../../src/image/inspect-tiff.js";
import { buildTiff, photo, type TiffPage } from "./fixtures.js";

const coded = (code: string) => expect.objectContaining({ name: "ImageError", code });
const page = (parts: Partial<TiffPage> = {}): TiffPage => ({ width: 20, height: 16, grey: 200, ...parts });

describe("inspectTiff", () => {
  it.each([true, false])("finds each page by itself (big-endian: %s)", (bigEndian) => {
    const file = buildTiff([page(), page({ width: 30, tags: [[274, 3, 6]] }), page({ height: 40 })], { bigEndian });
    expect(countTiffPages(file)).toBe(3);
    expect(inspectTiff(file, 0)).toMatchObject({ width: 20, height: 16, orientation: 1, pages: 3 });
    expect(inspectTiff(file, 1)).toMatchObject({ width: 30, height: 16, orientation: 6, pages: 3 });
    expect(inspectTiff(file, 2)).toMatchObject({ width: 20, height: 40, orientation: 1, pages: 3 });
    for (const wrong of [3, -1, 0.5, Number.NaN]) expect(() => inspectTiff(file, wrong)).toThrow(coded("image-page"));
  });

  it("tells black and white from grey", async () => {
    const threshold = sharp(photo(40, 32), { raw: { width: 40, height: 32, channels: 3 } }).threshold();
    const fax = await threshold.toColourspace("b-w").tiff({ compression: "ccittfax4", bitdepth: 1 }).toBuffer();
    expect(inspectTiff(fax, 0)).toMatchObject({ width: 40, height: 32, bilevel: true, rare: false });
    expect(inspectTiff(buildTiff([page()]), 0).bilevel).toBe(false);
  });

  it("stops at a chain of pages that runs in a circle", () => {
    const circle = buildTiff([page(), page()], { nextOfLast: 8 });
    expect(() => countTiffPages(circle)).toThrow(coded("image-corrupt"));
    expect(() => inspectTiff(circle, 0)).toThrow(coded("image-corrupt"));
  });

  it("counts to ten thousand pages and no further", () => {
    const pages = Array.from({ length: 10_001 }, () => page({ width: 1, height: 1 }));
    expect(countTiffPages(buildTiff(pages.slice(1)))).toBe(10_000);
    expect(() => countTiffPages(buildTiff(pages))).toThrow(coded("image-too-large"));
  });

  it.each<[string, TiffPage["tags"]]>([
    ["no width", [[256, 4, 0]]],
    ["a height beyond its data", [[257, 4, 17]]],
    ["four samples where there is data for one", [[277, 3, 4]]],
    ["a strip of more bytes than the file has", [[279, 4, 0xffffffff]]],
    ["fewer strips than rows", [[278, 4, 1]]],
    ["tiles outside of the file", [[324, 4, 0xfffffff0]]],
  ])("refuses a page with %s", (_name, tags = []) => {
    expect(() => inspectTiff(buildTiff([page({ tags })]), 0)).toThrow(coded("image-corrupt"));
  });

  it.each<[string, TiffPage["tags"]]>([
    ["CMYK", [[262, 3, 5]]],
    ["floating point", [[339, 3, 3]]],
    ["JPEG of the old kind", [[259, 3, 6]]],
    ["a tag whose value lies outside", [[305, 7, 0x7fffffff]]],
  ])("calls %s rare", (name, tags = []) => {
    const file = buildTiff([page({ tags })]);
    // The count of the last tag makes its value too long to stand in the entry.
    if (name.startsWith("a tag")) file.writeUInt32LE(99, file.indexOf(Buffer.from([0x31, 1, 7, 0])) + 4);
    expect(inspectTiff(file, 0).rare).toBe(true);
  });

  it("does not read hundreds of thousands of strips out of a small file", () => {
    const file = buildTiff([page()]);
    file.writeUInt32LE(0xffffffff, file.indexOf(Buffer.from([0x11, 1, 4, 0])) + 4);
    expect(() => inspectTiff(file, 0)).toThrow(coded("image-corrupt"));
  });
});
