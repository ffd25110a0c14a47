import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { seededRandom } from "../helpers/random.js";

const IMAGES = IS_LONG ? 500 : 90;
const MOST_CALLS = IS_LONG ? 200 : 36;
const WORKERS = IS_LONG ? 8 : 2;
const KILLS = IS_LONG ? 3 : 2;
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 3);
const LATENCY_MS = 60;
/** Refused calls give back what was set aside for them; those that are cut off do not. */
const FAULTS = {
  seed: SEED,
  rules: [
    { probability: 0.15, do: { kind: "status", status: 503 } },
    { probability: 0.03, do: { kind: "reset-after" } },
  ],
};
const PRICE = 0.05;

let place: Place;
let emulator: RunningEmulator;
let args: string[];
let env: Record<string, string>;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", String(LATENCY_MS)]);
  await emulator.setFaults(FAULTS);
  const caller = callerSettings(emulator.url);
  args = ["--provider", caller.provider, "--rate", "200", "--batch", "limited"];
  env = { ...caller.env, CARDBATCH_HUAWEI_PRICE: String(PRICE) };
});
afterAll(() => place.close());

it("never makes more billable calls than allowed, whoever dies, and goes on when more are", {
  timeout: 900_000,
}, async () => {
  const random = seededRandom(SEED);
  const startWorker = () => place.start(["worker", ...args, "--concurrency", "8"], env);
  const workers = Array.from({ length: WORKERS }, startWorker);

  const enqueueing = place.start(["enqueue", "archive", ...args, "--max-calls", String(MOST_CALLS)], env);
  const draining = place.start(["drain", ...args, "--out", "out"], env);
  for (let kill = 1; kill <= KILLS; kill++) {
    await calls((kill * MOST_CALLS) / (KILLS + 1), draining);
    const victim = Math.floor(random() * WORKERS);
    workers[victim]?.kill("SIGKILL");
    workers[victim] = startWorker();
  }
  const drained = await draining.done;
  expect(drained.code, drained.stderr).toBe(4);
  await enqueueing.done;
  const first = readSummary(place.path("out"));
  const { totals } = await emulator.report();
  console.log(`seed ${SEED}: ${totals.calls} calls, ${totals.billable} billable, ${first.uncertainCalls} uncertain`);
  expect(totals.billable).toBeLessThanOrEqual(MOST_CALLS);
  // Nothing is left over either: every call that was allowed was made.
  expect(first.billableCalls + first.uncertainCalls).toBe(MOST_CALLS);
  expect(first).toMatchObject({ found: IMAGES, maxCalls: MOST_CALLS, complete: false, failed: 0 });
  expect(first.cost).toBeCloseTo(first.billableCalls * PRICE);

  // Run again without saying anything the batch keeps its limit.
  const again = await place.run(["run", "archive", ...args, "--out", "out"], env);
  expect(again.code, again.stderr).toBe(4);
  expect((await emulator.report()).totals.billable).toBe(totals.billable);
  expect(readSummary(place.path("out"))).toMatchObject({ billableCalls: first.billableCalls, pending: first.pending });

  const resumed = await place.run(["run", "archive", ...args, "--out", "out", "--max-calls", "none"], env);
  for (const { kill } of workers) kill("SIGTERM");
  expect(resumed.code, resumed.stderr).toBe(0);
  const last = readSummary(place.path("out"));
  expect(last).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0, complete: true });
  expect(last.billableCalls).toBe(IMAGES);
  const { all } = readOut(place.path("out"));
  expect(new Set(all.map(({ request }) => request)).size).toBe(IMAGES);
  expect(Math.max(...all.map(({ attempts }) => attempts))).toBeLessThan(12);
  await Promise.all(workers.map(({ done }) => done));
});

/** Until the vendor has had so many calls, or the drain is over. */
async function calls(count: number, { done }: Running): Promise<void> {
  let isOver = false;
  void done.then(() => {
    isOver = true;
  });
  while (!isOver && (await emulator.report()).totals.calls < count) await new Promise((next) => setTimeout(next, 20));
}
