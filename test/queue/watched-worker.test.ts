import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { createWatchedWorker, startWatchdog } from "../../src/queue/watched-worker.js";
import { openFaultProxy } from "../helpers/fault-proxy.js";
import { openTestRedis } from "../helpers/redis.js";

const redisOfTests = openTestRedis();
const LOOK_MS = 100;

describe("the watchdog", () => {
  let waiting = 0;
  let taken = 0;
  let isFree = true;
  let isSettling = false;
  let replaced = 0;
  let watchdog: { stop(): void };

  beforeEach(() => {
    vi.useFakeTimers();
    [waiting, taken, isFree, isSettling, replaced] = [1, 0, true, false, 0];
    watchdog = startWatchdog(
      {
        isSettling: () => isSettling,
        waiting: async () => waiting,
        hasFreePlaces: () => isFree,
        taken: () => taken,
        replace: () => replaced++,
      },
      LOOK_MS,
    );
  });
  afterEach(() => {
    watchdog.stop();
    vi.useRealTimers();
  });

  const looks = (count: number) => vi.advanceTimersByTimeAsync(count * LOOK_MS);

  it("replaces who takes nothing, four looks in a row, and gives the next as long", async () => {
    await looks(3);
    expect(replaced).toBe(0);
    await looks(1);
    expect(replaced).toBe(1);
    await looks(3);
    expect(replaced).toBe(1);
    await looks(1);
    expect(replaced).toBe(2);
  });

  it.each([
    ["nothing waits", () => (waiting = 0)],
    ["no place is free", () => (isFree = false)],
    ["Redis takes nothing at present", () => (isSettling = true)],
    ["a job is taken", () => taken++],
  ])("leaves alone who has a reason: %s", async (_why, now) => {
    await looks(3);
    now();
    await looks(1);
    [waiting, isFree, isSettling] = [1, true, false];
    await looks(3);
    expect(replaced).toBe(0);
  });

  it("does nothing once it is stopped", async () => {
    watchdog.stop();
    await looks(10);
    expect(replaced).toBe(0);
  });
});

it("a worker whose line for waiting is dead, and stays so, takes jobs again", { timeout: 60_000 }, async () => {
  const proxy = await openFaultProxy(redisOfTests.url);
  const redis = redisOfTests.connect(proxy.url);
  const queue = new Queue("wedged", { connection: redisOfTests.redis, prefix: redisOfTests.keys.prefix });
  const events: CardbatchEvent[] = [];
  const done: string[] = [];
  const worker = createWatchedWorker(
    redis,
    redisOfTests.keys,
    { queue: "wedged", concurrency: 2, lookMs: LOOK_MS },
    {
      work: async (job) => void done.push(job.id ?? ""),
      emit: (event) => void events.push(event),
    },
  );
  onTestFinished(async () => {
    await proxy.setFault(null);
    await worker.close();
    await queue.close();
    await proxy.close();
  });
  await queue.add("j", {}, { jobId: "first" });
  await expect.poll(() => done).toEqual(["first"]);
  // BullMQ names the connection on which a worker waits after its queue.
  await proxy.setFault({ kind: "silent" }, Buffer.from("wedged").toString("base64"));
  // The marker that it waits for is taken by the server for a reader who never hears of it.
  await sleep(LOOK_MS);
  await queue.add("j", {}, { jobId: "second" });
  await expect.poll(() => events.some(({ type }) => type === "fault"), { timeout: 10_000 }).toBe(true);
  await proxy.setFault(null);
  await expect.poll(() => done, { timeout: 20_000 }).toEqual(["first", "second"]);
  await queue.add("j", {}, { jobId: "third" });
  await expect.poll(() => done, { timeout: 20_000 }).toEqual(["first", "second", "third"]);
});
