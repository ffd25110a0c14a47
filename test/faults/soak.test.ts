import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { type RedisWeight, weighRedis } from "../helpers/measure-redis.js";
import { seededRandom } from "../helpers/random.js";
import { type RedisServer, startRedisServer } from "../helpers/redis-server.js";

/** `CARDBATCH_SOAK_IMAGES=200000 CARDBATCH_SOAK_KILLS=0` for a soak without deaths. */
const IMAGES = Number(process.env.CARDBATCH_SOAK_IMAGES ?? (IS_LONG ? 1_000_000 : 2000));
const KILLS = Number(process.env.CARDBATCH_SOAK_KILLS ?? (IS_LONG ? 20 : 1));
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 7);
/** Memory of a small soak says nothing: processes are still warming up. */
const IS_MEASURED = IMAGES >= 100_000;
const CONCURRENCY = 32;
const BATCH = "soak";
const LOOK_MS = 100;
const MAX_GROWTH = 1.1;

let place: Place;
let server: RedisServer;
let emulator: RunningEmulator;

beforeAll(async () => {
  server = await startRedisServer();
  place = openPlace(server.url);
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
}, 3600_000);
afterAll(async () => {
  await place.close();
  await server.close();
}, 3600_000);

/** What was measured when so many pages had their outcome. */
interface Sample {
  readonly done: number;
  readonly rssBytes: number;
}

it("reads an archive of any size in the same memory, whoever dies meanwhile", { timeout: 4 * 3600_000 }, async () => {
  const { provider, env } = callerSettings(emulator.url);
  const options = ["--provider", provider, "--rate", "10000", "--concurrency", String(CONCURRENCY)];
  const run = () => place.start(["run", "archive", ...options, "--batch", BATCH, "--out", "out"], env);
  const work = () => place.start(["worker", ...options], env);
  const killAt = placesToKill();
  const samples: Sample[] = [];
  const weights: RedisWeight[] = [];
  const startedAt = performance.now();
  // One that dies needs another to go on; whoever soaks without deaths is alone.
  let runner = run();
  let worker = KILLS === 0 ? null : work();
  let deaths = 0;

  while (runner.child.exitCode === null) {
    const done = await pagesDone();
    samples.push({ done, rssBytes: residentBytes(runner) });
    const next = weights.length === 0 ? 0.1 : 0.98;
    if (weights.length < 2 && done >= next * IMAGES) weights.push(await weigh());
    if (worker !== null && done >= (killAt[deaths] ?? Number.POSITIVE_INFINITY)) {
      deaths++;
      // The run lists the archive anew when it comes back: it dies seldom, and early, so that it can be watched long.
      const isRun = deaths % 5 === 0 && done < IMAGES / 2;
      await died(isRun ? runner : worker);
      if (isRun) runner = run();
      else worker = work();
    }
    await sleep(LOOK_MS);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { code, stderr } = await runner.done;
  worker?.kill("SIGTERM");
  await worker?.done;
  const end = await weigh();

  const { totals } = (await (await fetch(`${emulator.url}/__calls?summary=1&images=0`)).json()) as {
    totals: { calls: number; images: number };
  };
  const extraCalls = totals.calls - IMAGES;
  const [rssEarly, rssLate] = [0.1, 1].map((share) => rssAround(samples, share));
  const [early, late] = weights;
  console.log(
    [
      `seed ${SEED}: ${IMAGES} images, ${deaths} kills, ${seconds.toFixed(0)} s, ${(IMAGES / seconds).toFixed(0)} images/s`,
      `${extraCalls} extra calls`,
      `run: ${mb(rssEarly)} MB at 10 %, ${mb(rssLate)} MB at 100 %`,
      `Redis less its ledger: ${mb(early?.restBytes)} MB at 10 %, ${mb(late?.restBytes)} MB at 98 %, ${mb(end.restBytes)} MB after`,
      `ledger: ${(end.marksBytes / IMAGES).toFixed(1)} B an image and ${((end.answersBytes + end.tablesBytes) / IMAGES).toFixed(1)} B an answer`,
    ].join("\n  "),
  );
  expect(code, stderr).toBe(0);
  expect(deaths).toBe(KILLS);
  expect(readSummary(place.path("out"))).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0, complete: true });
  expect(totals.images).toBe(IMAGES);
  expect(extraCalls).toBeLessThanOrEqual(KILLS * CONCURRENCY);
  if (!IS_MEASURED) return;
  expect(rssLate).toBeLessThanOrEqual(MAX_GROWTH * (rssEarly ?? 0));
  expect(late?.restBytes).toBeLessThanOrEqual(MAX_GROWTH * (early?.restBytes ?? 0));
});

/** Evenly over the archive, each somewhere in its share. */
function placesToKill(): number[] {
  const random = seededRandom(SEED);
  return Array.from({ length: KILLS }, (_, i) => Math.floor((IMAGES * (i + 0.1 + 0.8 * random())) / KILLS));
}

async function died(victim: Running): Promise<void> {
  victim.kill("SIGKILL");
  await victim.done;
}

async function pagesDone(): Promise<number> {
  const fields = await server.redis.hgetall(`${place.env.CARDBATCH_PREFIX}:batch:${BATCH}`);
  return Object.entries(fields).reduce(
    (sum, [name, value]) => sum + (name.startsWith("outcome:") ? Number(value) : 0),
    0,
  );
}

function weigh(): Promise<RedisWeight> {
  return weighRedis(server.redis, place.env.CARDBATCH_PREFIX ?? "", BATCH);
}

/** 0 for a process that has ended, and everywhere but on Linux. */
function residentBytes({ child }: Running): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The median of what was measured in the tenth of the archive that ends there. */
function rssAround(samples: readonly Sample[], share: number): number {
  const near = samples
    .filter(({ done, rssBytes }) => rssBytes > 0 && done <= share * IMAGES && done > (share - 0.1) * IMAGES)
    .map(({ rssBytes }) => rssBytes)
    .sort((a, b) => a - b);
  return near[Math.floor(near.length / 2)] ?? 0;
}

function mb(bytes = 0): string {
  return (bytes / 1e6).toFixed(1);
}
