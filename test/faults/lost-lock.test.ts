import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { openTestRedis } from "../helpers/redis.js";

const IMAGES = 160;
const CONCURRENCY = 4;
/** Longer than a lock and a presence last, and than others take to notice. */
const STOPPED_MS = 10_000;

const redis = openTestRedis();
let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "600"]);
});
afterAll(() => place.close());

it("a process that slept past its locks leaves their jobs to those who took over", { timeout: 200_000 }, async () => {
  const { provider, env } = callerSettings(emulator.url, "appcode");
  const options = ["--provider", provider, "--rate", "8", "--concurrency", String(CONCURRENCY)];
  const settings = { ...env, CARDBATCH_LOG_LEVEL: "debug" };
  const sleeper = place.start(["worker", ...options], settings);
  const run = place.start(["run", "archive", ...options, "--batch", "b", "--out", "out"], settings);
  await until(() => finishedBy(sleeper).length >= 2);
  const held = await whileCalling(sleeper);
  await sleep(STOPPED_MS);
  sleeper.kill("SIGCONT");
  const { code, stderr } = await run.done;
  sleeper.kill("SIGTERM");
  const slept = await sleeper.done;
  expect(code, stderr).toBe(0);
  expect(slept.code, slept.stderr).toBe(0);

  const { totals } = await emulator.report();
  console.log(`${held} calls under way when it fell asleep, ${totals.calls - IMAGES} extra calls`);
  // Nobody published what somebody else had taken over.
  const finished = [...finishedBy(run), ...finishedBy(sleeper)];
  expect(finished.length).toBe(IMAGES);
  expect(new Set(finished).size).toBe(IMAGES);
  expect(readOut(place.path("out")).results.length).toBe(IMAGES);
  expect(totals.calls - IMAGES).toBeLessThanOrEqual(held);
  // Both answers came in the end: nothing is uncertain.
  expect(readSummary(place.path("out"))).toMatchObject({
    found: IMAGES,
    accepted: IMAGES,
    calls: totals.calls,
    billableCalls: totals.billable,
    uncertainCalls: 0,
  });
  expect(`${stderr}${slept.stderr}`).not.toMatch(/"msg":"fault"/);
});

/** Requests whose outcome a process has published, by its log. */
function finishedBy({ stderr }: Running): string[] {
  return [...stderr().matchAll(/"request":"(r_[^"]+)".*"msg":"finished"/g)].map(([, request = ""]) => request);
}

/** Stops a process in the middle of calls. @returns how many */
async function whileCalling(running: Running): Promise<number> {
  for (;;) {
    running.kill("SIGSTOP");
    const names = await redis.redis.keys(`${place.env.CARDBATCH_PREFIX}:fly:*`);
    const marks = names.length === 0 ? [] : await redis.redis.mget(names);
    const mine = marks.filter((mark) => new RegExp(`/${running.child.pid}/[^|]*\\|\\d+\\|`).test(mark ?? ""));
    if (mine.length > 0) return mine.length;
    running.kill("SIGCONT");
    await sleep(50);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(50);
}
