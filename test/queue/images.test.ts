import { Queue } from "bullmq";
import { afterAll, expect, test } from "vitest";
import type { ImageJob } from "../../src/domain/payload.js";
import { createImages } from "../../src/queue/images.js";
import { requestOf } from "../helpers/image-keys.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const images = createImages(redis, keys);
// Without writing its own settings: BullMQ would keep 10,000 events with them, which weigh more than the jobs.
const queue = new Queue("card-images", { connection: redis, prefix: keys.prefix, skipMetasUpdate: true });
afterAll(async () => {
  await images.close();
  await queue.close();
});

const wish = (name: string, more: Partial<ImageJob> = {}) => ({
  request: requestOf("b", name),
  job: { schema: 1 as const, image: { path: `/${name}.jpg`, page: 0 }, batch: "b", ...more },
});

test("a request waits once, however often it is enqueued, and is found by its id", async () => {
  await images.add([]);
  await images.add([wish("a"), wish("b"), wish("a")]);
  await images.add([wish("a", { priority: "interactive" }), wish("c", { priority: "interactive" })]);
  expect(await images.backlog()).toBe(3);
  expect(await images.unfinished()).toBe(3);
  expect(await queue.getJobCounts("wait", "prioritized")).toEqual({ wait: 1, prioritized: 2 });
  expect((await queue.getJob(requestOf("b", "a")))?.data).toEqual(wish("a").job);
});

test("a waiting job costs no more than its reference, its key and what BullMQ needs", async () => {
  const JOBS = 1000;
  const before = await usedBytes();
  for (let from = 0; from < JOBS; from += 100) {
    const path = (i: number) => `2019/branch-0017/scan-${String(from + i).padStart(8, "0")}.jpg`;
    const key = `sha256:${"0123456789abcdef".repeat(4)}` as const;
    const image = (i: number) => ({ root: "archive", path: path(i), key, page: 0 });
    await images.add(Array.from({ length: 100 }, (_, i) => wish(`m${from + i}`, { image: image(i) })));
  }
  const bytes = ((await usedBytes()) - before) / JOBS;
  console.info(`waiting job: ${bytes.toFixed(0)} B`);
  expect(bytes).toBeLessThanOrEqual(700);
});

test("jobs that were put off for long are known, and woken by their batch", async () => {
  const before = await images.backlog();
  const putOff = (name: string, batch: string, delay: number) =>
    queue.add("image", wish(name, { batch }).job, { jobId: requestOf("b", name), priority: 10, delay });
  await putOff("asleep", "b", 60_000);
  await putOff("napping", "b", 5000);
  await putOff("other", "other", 60_000);
  expect(await images.asleep()).toBe(2);
  expect(await images.backlog()).toBe(before + 3);
  await images.wake("b");
  expect(await images.asleep()).toBe(1);
  expect(await queue.getJobState(requestOf("b", "asleep"))).toBe("prioritized");
  expect(await queue.getJobState(requestOf("b", "other"))).toBe("delayed");
});

test("nobody works until somebody does", async () => {
  expect(await images.workers()).toBe(0);
});

/** Of the keys of this file alone. */
async function usedBytes(): Promise<number> {
  let bytes = 0;
  for await (const names of redis.scanStream({ match: `${keys.prefix}*`, count: 1000 })) {
    const usage = redis.pipeline();
    for (const name of names as string[]) usage.memory("USAGE", name, "SAMPLES", 0);
    for (const [, size] of (await usage.exec()) ?? []) bytes += Number(size ?? 0);
  }
  return bytes;
}
