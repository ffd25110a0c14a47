import { describe, expect, it } from "vitest";
import { describeOther, sniffFormat } from "../../src/image/sniff.js";
import { buildTiff, sampleFiles } from "./fixtures.js";

const padded = (start: string) => Buffer.concat([Buffer.from(start, "latin1"), Buffer.alloc(64)]);

describe("sniffFormat", () => {
  it("knows every format that is read by its first bytes", async () => {
    const files = await sampleFiles();
    expect(Object.entries(files).map(([name, bytes]) => [name, sniffFormat(bytes)])).toEqual([
      ["jpeg", "jpeg"],
      ["progressive", "jpeg"],
      ["png", "png"],
      ["bmp", "bmp"],
      ["tiff", "tiff"],
      ["tiled tiff", "tiff"],
      ["webp", "webp"],
      ["lossless webp", "webp"],
    ]);
    expect(sniffFormat(buildTiff([{ width: 20, height: 20, grey: 0 }], { bigEndian: true }))).toBe("tiff");
  });

  it.each([
    ["GIF89a", "a GIF"],
    ["%PDF-1.7", "a PDF"],
    ["PK\x03\x04", "a ZIP archive"],
    ["\0\0\0\x18ftypheic", "a HEIC picture"],
    ["\0\0\0\x18ftypavif", "an AVIF picture or a film"],
    ["<svg xmlns=", "SVG, XML or HTML"],
    ['\n<?xml version="1.0"?>', "SVG, XML or HTML"],
    ["BMW is no bitmap, whatever it begins with", "of no known picture format"],
    ["RIFF\0\0\0\0WAVE", "of no known picture format"],
    ["", "nothing but zeros at its start"],
  ])("reads nothing that begins with %j", (start, description) => {
    expect(sniffFormat(padded(start))).toBeNull();
    expect(describeOther(padded(start))).toBe(description);
  });

  it("takes no file for a picture that is too short to be one", async () => {
    for (const bytes of Object.values(await sampleFiles())) {
      for (let length = 0; length < 12; length++) expect(sniffFormat(bytes.subarray(0, length))).toBeNull();
    }
  });
});
