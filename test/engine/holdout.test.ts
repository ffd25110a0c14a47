import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EngineCard } from "../../src/domain/card-engine.js";
import type { Quad } from "../../src/domain/geometry.js";
import { readPicture } from "../../src/engine/engine.js";
import { loadModels, type Models } from "../../src/engine/session.js";

/** Forty cards of the drawn hold-out: the long form is `training/holdout.sh`. */
const HOLDOUT = fileURLToPath(new URL("./holdout/", import.meta.url));

interface Drawn {
  readonly number: string;
  /** `MM/YY`, empty where the card shows none. */
  readonly expiry: string;
  /** Corners of the number, [x, y] each. */
  readonly line: readonly (readonly [number, number])[];
  readonly card: EngineCard | undefined;
}

let models: Models;
const drawn: Drawn[] = [];

beforeAll(async () => {
  models = await loadModels();
  const rows: Record<string, string>[] = parse(await readFile(`${HOLDOUT}truth.csv`), { columns: true });
  const scenes = (await readFile(`${HOLDOUT}scenes.ndjson`, "utf8")).trim().split("\n");
  for (const [i, { file, number = "", expiryDate = "" }] of rows.entries()) {
    const { cards } = await readPicture(models, await readFile(`${HOLDOUT}${file}`));
    const surestFirst = [...cards].sort((a, b) => (b.number?.confidence ?? 0) - (a.number?.confidence ?? 0));
    const expiry = expiryDate === "" ? "" : `${expiryDate.slice(5)}/${expiryDate.slice(2, 4)}`;
    const line = JSON.parse(scenes[i] ?? "").cards[0].number as Drawn["line"];
    drawn.push({ number, expiry, line, card: surestFirst[0] });
  }
}, 120_000);
afterAll(() => models.close());

const share = (cards: readonly Drawn[], isRight: (card: Drawn) => boolean): number =>
  cards.filter(isRight).length / cards.length;

/** Mean distance of the corners, as a share of the line's length. */
function distance(found: Quad, line: Drawn["line"]): number {
  const [a = [0, 0], b = [0, 0]] = line;
  const off = found.map(({ x, y }, i) => Math.hypot(x - (line[i]?.[0] ?? 0), y - (line[i]?.[1] ?? 0)));
  return off.reduce((sum, d) => sum + d, 0) / off.length / Math.hypot(b[0] - a[0], b[1] - a[1]);
}

it("reads most numbers and dates of designs, faces and strokes that it was not trained on", () => {
  expect(share(drawn, ({ card, number }) => card?.number?.text === number)).toBeGreaterThanOrEqual(0.95);
  const dated = drawn.filter(({ expiry }) => expiry !== "");
  expect(share(dated, ({ card, expiry }) => card?.expiryDate?.text === expiry)).toBeGreaterThanOrEqual(0.92);
});

it("accepts no wrong number among them", () => {
  const { acceptThreshold } = models.settings;
  const accepted = drawn.filter(({ card }) => (card?.number?.confidence ?? 0) >= acceptThreshold);
  expect(accepted.length).toBeGreaterThan(0.85 * drawn.length);
  expect(accepted.filter(({ card, number }) => card?.number?.text !== number)).toEqual([]);
});

it("places numbers to a small share of their length", () => {
  const off = drawn.flatMap(({ card, line }) => (card?.number ? [distance(card.number.keypoints, line)] : []));
  expect(off.sort((a, b) => a - b)[off.length >> 1]).toBeLessThan(0.02);
});
