import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { openPlace, type Place, readOut } from "../helpers/cli.js";

const CARD = fileURLToPath(new URL("../../samples/embossed/card-03.jpg", import.meta.url));

let place: Place;
beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
  await mkdir(place.path("pictures"));
});
afterAll(() => place.close());

const plain = (width: number, height: number, background = "white") =>
  sharp({ create: { width, height, channels: 3, background } });

/** A card as a camera stores it that mirrors and turns, with the tag that says so. */
const tagged = (orientation: number, stored: (image: Sharp) => Sharp) => async () =>
  sharp(await stored(sharp(CARD)).toBuffer())
    .withMetadata({ orientation })
    .jpeg();

const drawing = (inside: string) =>
  sharp(
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="600"><rect width="900" height="600" fill="#fff"/>${inside}</svg>`,
    ),
  );

/** Waves of colour, as cloth or water gives. */
function waves(): Sharp {
  const [width, height] = [800, 600];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 128 + 120 * Math.sin(x / (7 + (i % 3)) + Math.sin(y / 31) * 3);
  });
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const LETTER = Array.from(
  { length: 12 },
  (_, i) =>
    `<text x="60" y="${60 + 42 * i}" font-size="24">Reference ${i}: 2026-0${(i % 9) + 1}-14 / 0${i}1 555 0123</text>`,
).join("");

/** Cards that are only stored or laid otherwise: what is read of them may be accepted, when it is right. */
const CARDS: Readonly<Record<string, () => Promise<Sharp> | Sharp>> = {
  "turned.jpg": () => sharp(CARD).rotate(90).jpeg(),
  "upside-down.jpg": () => sharp(CARD).rotate(180).jpeg(),
  "mirrored-exif.jpg": tagged(2, (image) => image.flop()),
  "mirrored-turned-exif.jpg": tagged(5, (image) => image.rotate(270).flop()),
};

/** Nothing here is a card number that can be read. */
const OTHERS: Readonly<Record<string, () => Promise<Sharp> | Sharp>> = {
  "white.png": () => plain(1012, 638).png(),
  "black.jpg": () => plain(640, 480, "black").jpeg(),
  "tiny.png": () => plain(15, 15, "gray").png(),
  "sliver.png": () => plain(15, 4000, "gray").png(),
  "huge.png": () => plain(8192, 8192, "#335577").png(),
  "mirrored.jpg": () => sharp(CARD).flop().jpeg(),
  "waves.jpg": () => waves().jpeg(),
  "letter.png": () => drawing(LETTER).png(),
  "stripes.png": () =>
    drawing(
      `<path d="${Array.from({ length: 60 }, (_, i) => `M${i * 15} 0v600`).join("")}" stroke="#000" stroke-width="6"/>`,
    ).png(),
  "crumb.jpg": () => sharp(CARD).resize(40).jpeg(),
};

/** No picture at all. */
const BROKEN = {
  "empty.jpg": new Uint8Array(0),
  "text.png": new TextEncoder().encode("no picture"),
};

const nameOf = ({ image }: OutcomeRecord) => image.source;

it("gives every picture an outcome, whatever it is, and accepts none that is no card", {
  timeout: 120_000,
}, async () => {
  for (const [name, make] of Object.entries({ ...CARDS, ...OTHERS })) {
    await writeFile(place.path("pictures", name), await (await make()).toBuffer());
  }
  for (const [name, bytes] of Object.entries(BROKEN)) await writeFile(place.path("pictures", name), bytes);
  await writeFile(place.path("pictures", "as-it-is.jpg"), await readFile(CARD));

  const args = ["run", "pictures", "--provider", "local", "--out", "out", "--tolerate-failures"];
  const { code, stderr } = await place.run(args);
  expect(code, stderr).toBe(0);

  const { all } = readOut(place.path("out"));
  const known = ["as-it-is.jpg", ...Object.keys({ ...CARDS, ...OTHERS, ...BROKEN })];
  expect(all.map(nameOf).sort()).toEqual(known.sort());
  expect(
    all
      .filter(({ outcome }) => outcome === "failed")
      .map(nameOf)
      .sort(),
  ).toEqual(Object.keys(BROKEN).sort());
  const accepted = all.filter(({ outcome }) => outcome === "accepted");
  expect(accepted.map(nameOf).filter((name) => name in OTHERS)).toEqual([]);
  expect(new Set(accepted.map(({ cards }) => cards[0]?.number?.fingerprint)).size).toBe(1);
});
