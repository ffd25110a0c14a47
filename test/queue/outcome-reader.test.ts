import { Queue } from "bullmq";
import { afterEach, expect, test } from "vitest";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { Keys } from "../../src/queue/keys.js";
import { createOutcomeReader, type ReceivedOutcome } from "../../src/queue/outcome-reader.js";
import { createOutcomes, generationOf, outcomeQueueName } from "../../src/queue/outcomes.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, connect, keys: of } = openTestRedis();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

let places = 0;
function openPlace(backlog = 100) {
  const keys = new Keys(`${of.prefix}-${places++}`);
  const outcomes = createOutcomes(redis, keys, backlog);
  closers.push(() => outcomes.close());
  const events: CardbatchEvent[] = [];
  const read = (record: (outcome: ReceivedOutcome) => Promise<void>, destination: string | null = "d") => {
    const reader = createOutcomeReader(connect(), keys, destination, record, (event) => void events.push(event));
    closers.push(() => reader.close());
    return reader;
  };
  return { keys, outcomes, events, read };
}

test("an outcome comes with its generation, off either queue, and is gone when it is recorded", async () => {
  const { outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1, "accepted"), "d", "7");
  await outcomes.publish(recordOf("b", 2, "failed"), "d", "z");
  await outcomes.publish(recordOf("b", 3, "accepted"), "elsewhere", "7");
  const received: ReceivedOutcome[] = [];
  read(async (outcome) => void received.push(outcome));
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  const byGeneration = received.sort((a, b) => a.generation.localeCompare(b.generation));
  expect(byGeneration).toEqual([
    { record: recordOf("b", 1, "accepted"), generation: "7", isAgain: false },
    { record: recordOf("b", 2, "failed"), generation: "z", isAgain: false },
  ]);
  expect(await outcomes.unread("elsewhere")).toBe(1);
});

test("one that is not recorded comes again, and says so", async () => {
  const { outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1), "d", "1");
  const again: boolean[] = [];
  read(async ({ isAgain }) => {
    again.push(isAgain);
    if (!isAgain) throw new Error("the disk is full");
  });
  await expect.poll(() => outcomes.unread("d"), { timeout: 5000 }).toBe(0);
  expect(again).toEqual([false, true]);
});

test("one that is published twice while it is unread is there once, and once more after it was read", async () => {
  const { outcomes, read } = openPlace();
  const record = recordOf("b", 1);
  await outcomes.publish(record, "d", "1");
  await outcomes.publish(record, "d", "1");
  await outcomes.publish(record, "d", "2");
  expect(await outcomes.unread("d")).toBe(2);
  const received: string[] = [];
  read(async ({ generation }) => void received.push(generation));
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  await outcomes.publish(record, "d", "1");
  await expect.poll(() => received.length).toBe(3);
});

test.each([
  ["a later version", { ...recordOf("b", 1), schema: 2 }],
  ["something else", { hello: "world" }],
])("%s stays for who knows it, and is said", async (_, data) => {
  const { keys, outcomes, events, read } = openPlace();
  const queue = new Queue(outcomeQueueName("results", "d"), { connection: redis, prefix: keys.prefix });
  closers.push(() => queue.close());
  await queue.add("outcome", data, { jobId: "r_x_1" });
  await outcomes.publish(recordOf("b", 2), "d", "1");
  const received: ReceivedOutcome[] = [];
  read(async (outcome) => void received.push(outcome));
  await expect.poll(() => queue.getDelayedCount()).toBe(1);
  await expect.poll(() => received.length).toBe(1);
  expect(await outcomes.unread("d")).toBe(1);
  expect(events).toMatchObject([{ type: "fault", error: null }]);
});

test("a reader that closes lets what it took be recorded first", async () => {
  const { outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1), "d", "1");
  const held: (() => void)[] = [];
  const reader = read(() => new Promise((resolve) => held.push(resolve)));
  await expect.poll(() => held.length).toBe(1);
  const closed = reader.close();
  held[0]?.();
  await closed;
  expect(await outcomes.unread("d")).toBe(0);
});

test("a destination is full when more is unread than it may hold, and another one is not", async () => {
  const { outcomes } = openPlace(1);
  await outcomes.publish(recordOf("b", 1), null, "1");
  expect(await outcomes.isFull("d")).toBe(false);
  expect(await outcomes.isFull(null)).toBe(false);
  await outcomes.publish(recordOf("b", 2), null, "1");
  await expect.poll(() => outcomes.isFull(null)).toBe(true);
  expect(await outcomes.isFull("d")).toBe(false);
});

test("names of queues and generations", () => {
  expect(outcomeQueueName("results", null)).toBe("card-results");
  expect(outcomeQueueName("failures", "crm")).toBe("card-failures.crm");
  expect(generationOf("r_AA_AAAAAAAAAAAA__7")).toBe("7");
});
