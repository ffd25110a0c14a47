import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Queue, Worker } from "bullmq";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { consumeResults, createProducer, type OutcomeRecord } from "../../src/client/index.js";
import { jsonSchemas } from "../../src/domain/json-schemas.js";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";
import { openTestRedis } from "../helpers/redis.js";

const SAME_IMAGES = IS_LONG ? 100 : 20;
const JOBS = IS_LONG ? 10_000 : 400;
const TIMEOUT_MS = 1_800_000;
const PRODUCER = fileURLToPath(new URL("producer-process.mjs", import.meta.url));

const { redis } = openTestRedis();
const redisUrl = inject("redisUrl");
let place: Place;
let emulator: RunningEmulator;
let prefix: string;
/** Settings of workers and of those who enqueue. */
let env: Record<string, string>;
const CALLER = ["--provider", "huawei"];

beforeAll(async () => {
  place = openPlace();
  prefix = place.env.CARDBATCH_PREFIX ?? "";
  await drawArchive(place.path("archive"), Math.max(JOBS, SAME_IMAGES));
  expect((await place.run(["keys", "init"])).code).toBe(0);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "50"]);
  env = {
    ...callerSettings(emulator.url).env,
    CARDBATCH_ROOTS: `archive=${place.path("archive")}`,
    CARDBATCH_HUAWEI_RATE: "10000",
    CARDBATCH_HUAWEI_BURST: "1000",
    CARDBATCH_RESULTS_BACKLOG: "200",
  };
});
afterAll(() => place.close());

function startWorkers(count: number) {
  const workers = Array.from({ length: count }, () => place.start(["worker", ...CALLER], env));
  return async () => {
    for (const { kill } of workers) kill("SIGTERM");
    await Promise.all(workers.map(({ done }) => done));
  };
}

test(`two batches and a service ask for the same ${SAME_IMAGES} images at once: an outcome for each, one call an image`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const paths = Array.from({ length: SAME_IMAGES }, (_, i) => `0000/${String(i).padStart(6, "0")}.png`);
  const manifest = (who: string) => ["source,ref", ...paths.map((path, i) => `archive/${path},${who}-${i}`)].join("\n");
  for (const who of ["one", "two"]) await writeFile(place.path(`${who}.csv`), `${manifest(who)}\n`);
  const askers = ["one", "two", "service"];
  const seen = Object.fromEntries(askers.map((asker) => [asker, new Map<string, OutcomeRecord>()]));
  const consumers = askers.map((destination) =>
    consumeResults({ redisUrl, prefix, destination }, async (outcome) => {
      seen[destination]?.set(outcome.ref ?? "", outcome);
    }),
  );
  const stopWorkers = startWorkers(2);
  const producer = createProducer({ redisUrl, prefix });
  const images = paths.map((path) => ({ root: "archive", path }));
  const enqueued = await Promise.all([
    place.run(["enqueue", "one.csv", ...CALLER, "--batch", "one"], env),
    place.run(["enqueue", "two.csv", ...CALLER, "--batch", "two"], env),
    producer.add(
      images.map((image, i) => ({
        image,
        batch: "service",
        ref: `service-${i}`,
        destination: "service",
        priority: "interactive",
      })),
    ),
  ]);
  expect(enqueued.slice(0, 2)).toMatchObject([{ code: 0 }, { code: 0 }]);
  await expect
    .poll(() => askers.map((asker) => seen[asker]?.size), { timeout: TIMEOUT_MS })
    .toEqual(askers.map(() => SAME_IMAGES));
  for (const asker of askers) {
    expect([...(seen[asker]?.keys() ?? [])].sort()).toEqual(paths.map((_, i) => `${asker}-${i}`).sort());
    for (const { outcome } of seen[asker]?.values() ?? []) expect(outcome).toBe("accepted");
  }
  const { totals, images: called } = await emulator.report();
  console.log(`${askers.length * SAME_IMAGES} outcomes, ${totals.calls} calls`);
  expect(totals.calls).toBe(SAME_IMAGES);
  expect(Object.keys(called)).toHaveLength(SAME_IMAGES);
  await Promise.all([stopWorkers(), producer.close(), ...consumers.map((consumer) => consumer.close())]);
});

test(`${JOBS} jobs from two processes: every message fits the schema; who reads slowly holds up only its own`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const isOutcome = new Ajv2020({ strictTypes: false, formats: { "date-time": true } }).compile(
    jsonSchemas()["outcome.json"] as object,
  );
  const refs = { quick: new Set<string>(), slow: new Set<string>() };
  let unfit = 0;
  /** Nothing but BullMQ. */
  const consume = (destination: keyof typeof refs) => {
    const take = async ({ data }: { data: OutcomeRecord }) => {
      if (!isOutcome(data)) unfit++;
      refs[destination].add(data.ref ?? "");
    };
    const queue = `card-results.${destination}`;
    return new Worker(queue, take, { connection: redis, prefix, concurrency: 16, removeOnComplete: { count: 0 } });
  };
  const quick = consume("quick");
  const stopWorkers = startWorkers(2);
  const startedAt = performance.now();
  const producers = [0, 1].map((half) => {
    const range = [half * (JOBS / 2), (half + 1) * (JOBS / 2)].map(String);
    const child = spawn(process.execPath, [PRODUCER, ...range], {
      env: place.env,
      stdio: ["ignore", "inherit", "inherit"],
    });
    return once(child, "exit");
  });
  await expect.poll(() => refs.quick.size, { timeout: TIMEOUT_MS }).toBe(JOBS / 2);
  const quickAfter = performance.now() - startedAt;
  const slowQueue = new Queue("card-results.slow", { connection: redis, prefix });
  const held = await slowQueue.getWaitingCount();
  // Nobody has read them: those that were let in are there, and not one of them twice.
  expect(refs.slow.size).toBe(0);
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThanOrEqual(IS_LONG ? 1000 : JOBS / 2);
  const slow = consume("slow");
  await expect.poll(() => refs.slow.size, { timeout: TIMEOUT_MS }).toBe(JOBS / 2);
  for (const ended of producers) expect(await ended).toEqual([0, null]);
  console.log(
    `${JOBS} jobs: the quick half after ${(quickAfter / 1000).toFixed(1)} s with ${held} of the slow half unread; ` +
      `all after ${((performance.now() - startedAt) / 1000).toFixed(1)} s; ${unfit} messages do not fit`,
  );
  expect(unfit).toBe(0);
  expect(new Set([...refs.quick, ...refs.slow]).size).toBe(JOBS);
  await Promise.all([quick.close(), slow.close(), slowQueue.close(), stopWorkers()]);
});
