import { Queue, Worker } from "bullmq";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { connectRedis } from "../../src/queue/redis.js";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";
import { seededRandom } from "../helpers/random.js";

const IMAGES = IS_LONG ? 100_000 : 1200;
const REQUESTS = IS_LONG ? 200 : 24;
const RATE = 20;
const CONCURRENCY = 8;
const JOINED = 16;
const MOST_MS = IS_LONG ? 2000 : 10_000;
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 9);

let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;
const redis = connectRedis({ url: inject("redisUrl"), name: "cardbatch-test", onError: () => {} });
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("scans/archive"), IMAGES);
  await drawArchive(place.path("scans/others"), REQUESTS, IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "100"]);
  const caller = callerSettings(emulator.url);
  env = { ...caller.env, CARDBATCH_ROOTS: `scans=${place.path("scans")}`, CARDBATCH_PROVIDER: caller.provider };
}, 600_000);
afterAll(async () => {
  for (const close of closers) await close();
  await place.close();
  redis.disconnect();
});

/** A service that asks for single images and hears of their outcomes. */
function openService(destination: string) {
  const prefix = place.env.CARDBATCH_PREFIX ?? "";
  const images = new Queue("card-images", { connection: redis, prefix });
  /** When it was asked for each, by its ref. */
  const asked = new Map<string, number>();
  const heard: { readonly record: OutcomeRecord; readonly atMs: number }[] = [];
  const hear = async ({ data: record }: { data: OutcomeRecord }) => {
    heard.push({ record, atMs: Date.now() });
  };
  const reader = new Worker(`card-results.${destination}`, hear, { connection: redis, prefix });
  closers.push(
    () => reader.close(),
    () => images.close(),
  );
  return {
    heard,
    ask: async (path: string) => {
      const ref = `ask-${asked.size}`;
      asked.set(ref, Date.now());
      const job = {
        schema: 1,
        image: { root: "scans", path },
        batch: "crm",
        ref,
        priority: "interactive",
        destination,
      };
      await images.add("image", job);
    },
    /** Until every outcome is there. @returns ms until the vendor was called, and until the outcome was heard of */
    allHeard: async () => {
      await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(asked.size);
      const calledAt = await callTimes();
      const since = (toMs: (outcome: (typeof heard)[number]) => number) =>
        heard
          .map((outcome) => Math.max(toMs(outcome) - (asked.get(outcome.record.ref ?? "") ?? 0), 0))
          .sort((a, b) => a - b);
      return {
        // An image that the batch had called for already was started before it was asked for.
        started: since(({ record, atMs }) => calledAt.get(record.image.key ?? "") ?? atMs),
        ended: since(({ atMs }) => atMs),
      };
    },
  };
}

const startWorker = () => place.start(["worker", "--rate", String(RATE), "--concurrency", String(CONCURRENCY)], env);
/** When the vendor got each image first, by its key. */
async function callTimes(): Promise<Map<string, number>> {
  const report = await fetch(`${emulator.url}/__calls?images=0`);
  const { calls } = (await report.json()) as { calls: { at: number; image: string | null }[] };
  return new Map(calls.reverse().map(({ at, image }) => [image ?? "", at]));
}

const p95 = (sorted: readonly number[]) => sorted[Math.ceil(0.95 * sorted.length) - 1] ?? Number.POSITIVE_INFINITY;
const callsOf = async () => (await emulator.report()).totals.calls;

function figures({ started, ended }: { started: readonly number[]; ended: readonly number[] }): string {
  const shown = (sorted: readonly number[]) =>
    `p50 ${sorted[sorted.length >> 1]?.toFixed(0)} ms, p95 ${p95(sorted).toFixed(0)} ms`;
  return `started after ${shown(started)}; outcome after ${shown(ended)}`;
}

it("starts what somebody waits for within seconds, whatever a batch has in work", { timeout: 900_000 }, async () => {
  const random = seededRandom(SEED);
  const worker = startWorker();
  const enqueue = place.start(["enqueue", "scans/archive", "--batch", "big", "--backlog", String(IMAGES)], env);
  while ((await callsOf()) < 2 * RATE) await pause(50);

  const service = openService("now");
  for (let i = 0; i < REQUESTS; i++) {
    await service.ask(`others/${placeOf(IMAGES + i)}.png`);
    await pause(400 * random());
  }
  const asked = await service.allHeard();
  console.log(`seed ${SEED}: ${figures(asked)}`);
  expect(await callsOf()).toBeLessThan(IMAGES);
  expect(p95(asked.started)).toBeLessThanOrEqual(MOST_MS);

  // Images that the batch has in work, or is about to: joined, put first, and never called twice.
  const joining = openService("joined");
  const listed = await callsOf();
  for (let i = 0; i < JOINED; i++) await joining.ask(`archive/${placeOf(listed - REQUESTS + i)}.png`);
  const joined = await joining.allHeard();
  console.log(`${JOINED} of the batch's own: ${figures(joined)}`);
  expect(p95(joined.started)).toBeLessThanOrEqual(MOST_MS);
  expect(joining.heard.map(({ record }) => record.attempts)).toEqual(Array(JOINED).fill(1));
  const target = listed + 2 * JOINED;
  while ((await callsOf()) < target) await pause(50);
  for (const { kill } of [worker, enqueue]) kill("SIGTERM");
  await Promise.all([worker.done, enqueue.done]);
  const { images } = await emulator.report();
  expect(Object.values(images).filter(({ calls }) => calls !== 1)).toEqual([]);
});

/** Where `drawArchive` puts a picture. */
function placeOf(picture: number): string {
  return `${String(Math.floor(picture / 100)).padStart(4, "0")}/${String(picture).padStart(6, "0")}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
