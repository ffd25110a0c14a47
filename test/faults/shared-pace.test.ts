import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";

const RATE = 20;
/** What the vendor admits in any second; in the short form, which runs beside other tests, only that the rate is shared. */
const LIMIT = IS_LONG ? 22 : 35;
const SECONDS = IS_LONG ? 60 : 8;

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), RATE * (SECONDS + 10));
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--limit", String(LIMIT), "--latency", "150"]);
});
afterAll(() => place.close());

it("shares one rate between two worker processes, uses it, and never exceeds it", { timeout: 200_000 }, async () => {
  const { provider, env } = callerSettings(emulator.url);
  const workers = [1, 2].map(() => place.start(["worker", "--provider", provider, "--rate", String(RATE)], env));
  const enqueue = place.start(["enqueue", "archive", "--provider", provider, "--batch", "pace"], env);
  const calls = async () => (await emulator.report()).totals.calls;
  while ((await calls()) < RATE) await new Promise((resolve) => setTimeout(resolve, 10));
  const [startedAt, before] = [performance.now(), await calls()];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const sent = (await calls()) - before;
  const allowed = (RATE * (performance.now() - startedAt)) / 1000;
  for (const { kill } of [...workers, enqueue]) kill("SIGTERM");
  await Promise.all([...workers, enqueue].map(({ done }) => done));

  const { totals } = await emulator.report();
  const share = sent / allowed;
  console.log(
    `${sent} of ${allowed.toFixed(1)} allowed calls (${(100 * share).toFixed(1)} %), ${totals.maxCallsInAnySecond} in the fullest second`,
  );
  expect(totals.byStatus["429"] ?? 0).toBe(0);
  expect(share).toBeGreaterThanOrEqual(IS_LONG ? 0.97 : 0.5);
  expect(totals.maxCallsInAnySecond).toBeLessThanOrEqual(LIMIT);
});
