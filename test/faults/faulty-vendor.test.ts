import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";

const IMAGES = IS_LONG ? 2000 : 150;
const SEED = 11;
/** A fifth of all calls fail with 503, a tenth is throttled, a twentieth is cut off, a twentieth comes back torn. */
const FAULTS = {
  seed: SEED,
  rules: [
    { probability: 0.2, do: { kind: "status", status: 503 } },
    { probability: 0.1, do: { kind: "status", status: 429, retryAfter: IS_LONG ? "1" : "0" } },
    { probability: 0.025, do: { kind: "reset-before" } },
    { probability: 0.025, do: { kind: "reset-after" } },
    { probability: 0.05, do: { kind: "truncated" } },
  ],
};

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  await emulator.setFaults(FAULTS);
});
afterAll(() => place.close());

it("reads every image of a vendor that fails in every way, and counts every call", { timeout: 600_000 }, async () => {
  const { provider, env } = callerSettings(emulator.url);
  const args = [
    "run",
    "archive",
    "--provider",
    provider,
    "--rate",
    "500",
    "--out",
    "out",
    "--metrics-file",
    "metrics.txt",
  ];
  const { code, stderr } = await place.run(args, env);
  expect(stderr).not.toMatch(/fault/);
  expect(code).toBe(0);

  const { results, failures } = readOut(place.path("out"));
  expect(failures).toEqual([]);
  expect(new Set(results.map(({ image }) => image.source)).size).toBe(IMAGES);
  expect(results.every(({ outcome }) => outcome === "accepted")).toBe(true);

  const { totals, images } = await emulator.report();
  const summary = readSummary(place.path("out"));
  const counters = readCounters(place.path("metrics.txt"));
  console.log(`seed ${SEED}, ${IMAGES} images:`, JSON.stringify(totals));
  expect(Object.values(images).filter(({ answered }) => answered !== 1)).toEqual([]);
  expect(summary).toMatchObject({
    calls: totals.calls,
    billableCalls: totals.billable,
    uncertainCalls: totals.uncertain,
  });
  expect(counters).toEqual({ calls: totals.calls, billable: totals.billable });
});

function readCounters(path: string): { calls: number; billable: number } {
  const text = readFileSync(path, "utf8");
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^cardbatch_${name}\\{[^}]*\\} (\\d+)$`, "gm"))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return { calls: sum("provider_calls_total"), billable: sum("provider_billable_calls_total") };
}
