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

const IMAGES = IS_LONG ? 5000 : 300;
const RATE = IS_LONG ? 50 : 40;
const DOWN_MS = IS_LONG ? 300_000 : 8000;
const LATENCY_MS = 50;
const CONCURRENCY = 16;
/** Until the breaker has opened, and everything that was under way has come back. */
const OPENING_MS = 3000;

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", String(LATENCY_MS)]);
}, 120_000);
afterAll(() => place.close());

it("sits out a vendor that is down: nothing fails, no attempt is paid, one call at a time looks", {
  timeout: 900_000,
}, async () => {
  const { provider, env } = callerSettings(emulator.url);
  const options = ["--provider", provider, "--rate", String(RATE), "--concurrency", String(CONCURRENCY)];
  const running = place.start(["run", "archive", ...options, "--out", "out"], env);
  const answered = async () => (await emulator.report()).totals.answered;
  while ((await answered()) < IMAGES / 3) await new Promise((resolve) => setTimeout(resolve, 20));
  await emulator.setFaults({ rules: [{ time: { fromMs: 0, toMs: DOWN_MS }, do: { kind: "status", status: 503 } }] });
  const downAt = Date.now();
  const finished = await running.done;
  expect(finished.code, finished.stderr).toBe(0);

  const calls = ((await (await fetch(`${emulator.url}/__calls`)).json()) as { calls: { at: number; status: number }[] })
    .calls;
  const upAt = downAt + DOWN_MS;
  const probes = calls.filter(({ at }) => at > downAt + OPENING_MS && at < upAt).map(({ at }) => at);
  const gaps = probes.slice(1).map((at, i) => at - (probes[i] ?? 0));
  const failed = calls.filter(({ status }) => status === 503).length;
  const back = (fromS: number, toS: number) =>
    calls.filter(({ at }) => at >= upAt + fromS * 1000 && at < upAt + toS * 1000).length / (toS - fromS);
  const { all } = readOut(place.path("out"));
  console.log(
    `${failed} calls failed in ${DOWN_MS / 1000} s, ${probes.length} of them alone, ${Math.min(...gaps)} ms apart or more; ` +
      `back at ${back(8, 13).toFixed(1)} calls/s of ${RATE} in the seconds 8 to 13 after`,
  );
  expect(all.map(({ outcome, attempts }) => [outcome, attempts])).toEqual(Array(IMAGES).fill(["accepted", 1]));
  expect(readSummary(place.path("out"))).toMatchObject({ accepted: IMAGES, pending: 0 });
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(LATENCY_MS);
  expect(failed - probes.length).toBeLessThanOrEqual(10 + CONCURRENCY + OPENING_MS / 1000);
  expect(finished.stderr).toContain("answers nobody");
});
