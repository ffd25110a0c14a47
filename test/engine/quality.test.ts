import { fileURLToPath } from "node:url";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineCard } from "../../src/domain/card-engine.js";
import { readPicture } from "../../src/engine/engine.js";
import { loadModels, type Models } from "../../src/engine/session.js";

const SAMPLE = fileURLToPath(new URL("../../samples/embossed/card-03.jpg", import.meta.url));

let models: Models;
beforeAll(async () => {
  models = await loadModels();
});
afterAll(() => models.close());

async function read(change: (image: Sharp) => Sharp = (image) => image): Promise<EngineCard> {
  const shown = await sharp(SAMPLE).png().toBuffer();
  const { cards } = await readPicture(models, await change(sharp(shown)).jpeg({ quality: 92 }).toBuffer());
  const [card] = cards;
  if (card === undefined) throw new Error("no card found");
  return card;
}

describe("direction", () => {
  it.each([0, 90, 180, 270, 20])("says which way the text reads in a picture turned by %i°", async (degrees) => {
    const [before, after] = [await read(), await read((image) => image.rotate(degrees, { background: "#777" }))];
    const off = (after.direction ?? Number.NaN) - (before.direction ?? Number.NaN) - degrees;
    expect(Math.abs(((off + 540) % 360) - 180)).toBeLessThanOrEqual(3);
  });
});

describe("quality", () => {
  it("calls a softer picture more blurred, whatever its contrast", async () => {
    const blurs: number[] = [];
    for (const sigma of [0.3, 2.5, 5])
      blurs.push((await read((image) => image.blur(sigma))).quality.blur ?? Number.NaN);
    const [sharpest = 0, softer = 0, softest = 0] = blurs;
    expect(sharpest).toBeLessThan(0.3);
    expect(softer).toBeGreaterThan(sharpest + 0.1);
    expect(softest).toBeGreaterThan(softer + 0.1);
    const pale = await read((image) => image.blur(5).linear(0.5, 60));
    expect(pale.quality.blur).toBeCloseTo(softest, 0.7);
  });

  it("gives the share of the card that is blown out", async () => {
    const { width = 0, height = 0 } = await sharp(SAMPLE).metadata();
    const spot = await sharp({
      create: { width: Math.round(width / 4), height: Math.round(height / 4), channels: 3, background: "white" },
    })
      .png()
      .toBuffer();
    const { quality } = await read((image) => image.composite([{ input: spot, gravity: "north" }]));
    expect(quality.glare).toBeGreaterThan(0.02);
    expect((await read()).quality.glare).toBeLessThan(0.01);
  });

  it("says that a card reaches over the picture's edge", async () => {
    const { width = 0, height = 0 } = await sharp(SAMPLE).metadata();
    const cut = await read((image) =>
      image.extract({ left: 0, top: 0, width: Math.round(width * 0.75), height: height }),
    );
    expect(cut.quality.cutEdge).toBe(true);
    expect((await read()).quality.cutEdge).toBe(false);
  });
});
