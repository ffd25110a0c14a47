import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";
import { openTestRedis } from "../helpers/redis.js";

const IMAGES = 24;
const CONCURRENCY = 6;
/** Long enough to be stopped in its middle. */
const SLOW_MS = 3000;
const NEVER_MS = 50_000;
/** Two signals that come closer together are one. */
const APART_MS = 500;

const redis = openTestRedis();
let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;
let options: string[];

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  const caller = callerSettings(emulator.url, "appcode");
  env = { ...caller.env, CARDBATCH_SHILIUAI_TIMEOUT_MS: "60000" };
  options = ["--provider", caller.provider, "--rate", "3", "--concurrency", String(CONCURRENCY)];
  await place.run(["enqueue", "archive", ...options, "--batch", "b"], env);
});
afterAll(() => place.close());

it("the first signal lets calls under way finish and begins none", { timeout: 60_000 }, async () => {
  const worker = await workerAtCalls(SLOW_MS);
  worker.kill("SIGTERM");
  await expect.poll(worker.stderr).toContain("stopping");
  const begun = (await emulator.report()).totals.calls;
  const { code, stderr } = await worker.done;
  const { totals } = await emulator.report();
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/"msg":"fault"/);
  expect(totals.calls).toBe(begun);
  expect(totals).toMatchObject({ answered: begun, uncertain: 0 });
  expect(await jobs("active")).toBe(0);
});

it("the second gives them up, and their jobs are free at once", { timeout: 60_000 }, async () => {
  const before = (await emulator.report()).totals.answered;
  const worker = await workerAtCalls(NEVER_MS);
  worker.kill("SIGTERM");
  await sleep(APART_MS);
  const stoppedAt = performance.now();
  worker.kill("SIGTERM");
  const { code, stderr } = await worker.done;
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/"msg":"fault"/);
  expect(await jobs("active")).toBe(0);
  expect((await emulator.report()).totals.answered).toBe(before);

  await emulator.setFaults({ rules: [] });
  const next = place.start(["worker", ...options], env);
  await expect.poll(async () => (await emulator.report()).totals.answered, { timeout: 20_000 }).toBeGreaterThan(before);
  console.log(`another worker's answer ${Math.round(performance.now() - stoppedAt)} ms after the second signal`);
  const drain = await place.run(["drain", "--batch", "b", ...options, "--out", "out"], env);
  expect(drain.code, drain.stderr).toBe(0);
  next.kill("SIGTERM");
  await next.done;
});

/** A worker with calls that take so long under way. */
async function workerAtCalls(ms: number): Promise<Running> {
  await emulator.setFaults({ rules: [{ do: { kind: "delay", ms } }] });
  const pending = async () => (await emulator.report()).totals as unknown as { pending: number };
  const worker = place.start(["worker", ...options], env);
  // Until one has succeeded, calls are made one at a time.
  await expect.poll(async () => (await pending()).pending, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
  return worker;
}

async function jobs(state: string): Promise<number> {
  return redis.redis.llen(`${place.env.CARDBATCH_PREFIX}:card-images:${state}`);
}
