import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPicture } from "../../src/engine/engine.js";
import { EngineError } from "../../src/engine/engine-error.js";
import { decodePicture } from "../../src/engine/picture.js";
import { loadModels, type Models } from "../../src/engine/session.js";

const SAMPLES = fileURLToPath(new URL("../../samples/", import.meta.url));

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9" height="9"/></svg>';

interface TruthRow {
  readonly file: string;
  readonly number: string;
  readonly expiryDate: string;
}

let models: Models;
beforeAll(async () => {
  models = await loadModels();
});
afterAll(() => models.close());

async function truth(): Promise<TruthRow[]> {
  return parse(await readFile(`${SAMPLES}truth.csv`), { columns: true, bom: true });
}

const flat = (width: number, height: number, background: string): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();

/** Noise that is the same in every run. */
function noise(width: number, height: number): Promise<Buffer> {
  const data = new Uint8Array(width * height * 3);
  let state = 12345;
  for (let i = 0; i < data.length; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    data[i] = state >> 16;
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

async function bestConfidence(bytes: Uint8Array): Promise<number> {
  const { cards } = await readPicture(models, bytes);
  return Math.max(0, ...cards.map((card) => card.number?.confidence ?? 0));
}

describe("readPicture on the samples", () => {
  it("reads most numbers, and is wrong about none it is sure of", { timeout: 60_000 }, async () => {
    const rows = (await truth()).filter(({ file }) => /^(embossed|flat|photos)\//.test(file));
    let right = 0;
    const wronglyAccepted: string[] = [];
    for (const row of rows) {
      const { cards } = await readPicture(models, await readFile(SAMPLES + row.file));
      const number = cards[0]?.number;
      if (number?.text === row.number) right++;
      else if ((number?.confidence ?? 0) >= models.settings.acceptThreshold) wronglyAccepted.push(row.file);
    }
    expect(wronglyAccepted).toEqual([]);
    expect(right).toBeGreaterThan(0.6 * rows.length);
  });

  it("gives key points clockwise in pixels of the picture as shown, whatever way it is stored", async () => {
    const bytes = await readFile(`${SAMPLES}turned/sideways-exif.jpg`);
    const { cards } = await readPicture(models, bytes);
    const [topLeft, topRight, bottomRight, bottomLeft] = cards[0]?.number?.keypoints ?? [];
    const shown = await sharp(bytes).autoOrient().toBuffer({ resolveWithObject: true });
    expect(topRight?.x).toBeLessThanOrEqual(shown.info.width);
    expect(topRight?.x).toBeGreaterThan((topLeft?.x ?? Number.NaN) + 100);
    expect(bottomLeft?.y).toBeGreaterThan((topLeft?.y ?? Number.NaN) + 5);
    expect(bottomRight?.y).toBeGreaterThan((topRight?.y ?? Number.NaN) + 5);
  });

  it.each<[number, (image: Sharp) => Sharp]>([
    [2, (image) => image.flop()],
    [3, (image) => image.rotate(180)],
    [4, (image) => image.flip()],
    // sharp mirrors before it turns.
    [5, (image) => image.rotate(270).flop()],
    [6, (image) => image.rotate(270)],
    [7, (image) => image.rotate(90).flop()],
    [8, (image) => image.rotate(90)],
  ])("reads what is stored with EXIF orientation %i as it is shown", async (orientation, store) => {
    const shown = await sharp(`${SAMPLES}embossed/card-03.jpg`).png().toBuffer();
    const stored = await sharp(await store(sharp(shown)).toBuffer())
      .withMetadata({ orientation })
      .png()
      .toBuffer();
    const [asShown, asStored] = await Promise.all([readPicture(models, shown), readPicture(models, stored)]);
    expect(asStored.cards[0]?.number?.text).toBe(asShown.cards[0]?.number?.text);
    expect(asStored.cards[0]?.number?.keypoints).toEqual(asShown.cards[0]?.number?.keypoints);
  });

  it.each([90, 180, 270, 20, -35])(
    "accepts nothing wrong of a picture turned by %i°, and reads most",
    async (degrees) => {
      const rows = (await truth()).filter(({ file }) => file.startsWith("embossed/")).slice(0, 6);
      let right = 0;
      for (const { file, number } of rows) {
        const turned = await sharp(`${SAMPLES}${file}`).rotate(degrees, { background: "#777" }).jpeg().toBuffer();
        const [card] = (await readPicture(models, turned)).cards;
        if (card?.number?.text === number) right++;
        else expect(card?.number?.confidence ?? 0).toBeLessThan(models.settings.acceptThreshold);
      }
      expect(right).toBeGreaterThanOrEqual(4);
    },
  );

  it("reads the same twice", async () => {
    const bytes = await readFile(`${SAMPLES}embossed/card-03.jpg`);
    expect(await readPicture(models, bytes)).toEqual(await readPicture(models, bytes));
  });
});

describe("readPicture on what is no card", () => {
  it.each([
    ["white", () => flat(1012, 638, "white")],
    ["black", () => flat(300, 900, "black")],
    ["15 x 15", () => flat(15, 15, "gray")],
    ["15 x 8192", () => flat(15, 8192, "gray")],
    ["noise", () => noise(640, 400)],
  ])("accepts nothing in %s", async (_, make) => {
    expect(await bestConfidence(await make())).toBeLessThan(models.settings.acceptThreshold);
  });

  it("answers 8192 x 8192", { timeout: 60_000 }, async () => {
    expect(await bestConfidence(await flat(8192, 8192, "#335577"))).toBe(0);
  });

  it.each([
    ["nothing", () => Promise.resolve(new Uint8Array(0))],
    ["text", () => Promise.resolve(new TextEncoder().encode("no picture at all"))],
    ["a drawing that could name files", () => Promise.resolve(new TextEncoder().encode(SVG))],
    ["a truncated JPEG", () => readFile(`${SAMPLES}broken/truncated.jpg`)],
    ["more pixels than allowed", () => flat(8193, 8193, "white")],
  ])("refuses %s with its code", { timeout: 60_000 }, async (_, make) => {
    const error = await readPicture(models, await make()).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ code: "engine-image" });
  });
});

describe("decoding", () => {
  it.each([
    ["CMYK JPEG", (image: Sharp) => image.toColourspace("cmyk").jpeg()],
    ["16-bit grey PNG", (image: Sharp) => image.toColourspace("grey16").png()],
    ["palette PNG with alpha", (image: Sharp) => image.ensureAlpha(0.5).png({ palette: true })],
    ["WebP", (image: Sharp) => image.webp()],
    ["TIFF", (image: Sharp) => image.tiff()],
  ])("gives RGB for %s", async (_, encode) => {
    const bytes = await encode(sharp(`${SAMPLES}flat/card-01.jpg`).resize(640)).toBuffer();
    const [full] = (await decodePicture(bytes)).levels;
    expect(full?.data.length).toBe((full?.width ?? 0) * (full?.height ?? 0) * 3);
    expect(full?.width).toBe(640);
  });
});

describe("loadModels", () => {
  it("says that there is no engine where the files are missing", async () => {
    await expect(loadModels("/nowhere")).rejects.toMatchObject({ code: "engine-unavailable" });
  });
});
