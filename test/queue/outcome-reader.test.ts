import { Queue, Worker } from "bullmq";
import { afterEach, expect, test } from "vitest";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { outcomeQueueName } from "../../src/domain/queue-names.js";
import { Keys } from "../../src/queue/keys.js";
import { createOutcomeReader, type ReceivedOutcome } from "../../src/queue/outcome-reader.js";
import { createOutcomes, generationOf } from "../../src/queue/outcomes.js";
import { createRecorder } from "../../src/queue/recorder.js";
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
  const { commit } = createRecorder(redis, keys, "sink");
  const queue = (destination: string) =>
    new Queue(outcomeQueueName("results", destination), { connection: redis, prefix: keys.prefix });
  const events: CardbatchEvent[] = [];
  /** Records everything, and returns what that is. */
  const read = (before: (outcomes: readonly ReceivedOutcome[]) => Promise<void> = async () => {}) => {
    const recorded: ReceivedOutcome[] = [];
    const record = async (group: readonly ReceivedOutcome[]) => {
      await before(group);
      await commit(null, group);
      recorded.push(...group);
    };
    const reader = createOutcomeReader(connect(), keys, "d", record, (event) => void events.push(event));
    closers.push(() => reader.close());
    return { recorded, close: reader.close };
  };
  return { keys, outcomes, queue, events, read };
}

test("an outcome comes with its generation, off either queue, and is gone when it is recorded", async () => {
  const { keys, outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1, "accepted"), "d", "7");
  await outcomes.publish(recordOf("b", 2, "failed"), "d", "z");
  await outcomes.publish(recordOf("b", 3, "accepted"), "elsewhere", "7");
  const { recorded } = read();
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  expect(recorded).toMatchObject([
    { record: recordOf("b", 1, "accepted"), generation: "7" },
    { record: recordOf("b", 2, "failed"), generation: "z" },
  ]);
  expect(await outcomes.unread("elsewhere")).toBe(1);
  for (const { job } of recorded) expect(await redis.exists(job.queue + job.id)).toBe(0);
  expect(await redis.exists(`${keys.prefix}:card-results.d:wait`)).toBe(0);
});

test("they come together, oldest first", async () => {
  const { outcomes, read } = openPlace();
  for (let i = 0; i < 20; i++) await outcomes.publish(recordOf("b", i, "accepted"), "d", "1");
  const groups: number[] = [];
  const { recorded } = read(async (group) => void groups.push(group.length));
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  expect(groups).toEqual([20]);
  expect(recorded.map(({ record }) => record)).toEqual(
    Array.from({ length: 20 }, (_, i) => recordOf("b", i, "accepted")),
  );
});

test("those that are not recorded come again", async () => {
  const { outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1), "d", "1");
  let tries = 0;
  const { recorded } = read(async () => {
    if (++tries === 1) throw new Error("the disk is full");
  });
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  expect([tries, recorded.length]).toEqual([2, 1]);
});

test("what another consumer had begun with and left is read, too", async () => {
  const { keys, outcomes, queue, read } = openPlace();
  await outcomes.publish(recordOf("b", 1, "accepted"), "d", "1");
  await outcomes.publish(recordOf("b", 2, "accepted"), "d", "1");
  const others = queue("d");
  closers.push(() => others.close());
  const gone = new Worker(others.name, null, { connection: connect(), prefix: others.opts.prefix ?? "" });
  closers.push(() => gone.close());
  const job = await gone.getNextJob("token");
  await redis.del(`${keys.prefix}:${others.name}:${job?.id}:lock`);
  expect(await others.getActiveCount()).toBe(1);
  const { recorded } = read();
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  expect(recorded).toHaveLength(2);
});

test("a paused queue is left alone until it is resumed", async () => {
  const { outcomes, queue, read } = openPlace();
  const paused = queue("d");
  closers.push(() => paused.close());
  await paused.pause();
  await outcomes.publish(recordOf("b", 1, "accepted"), "d", "1");
  await outcomes.publish(recordOf("b", 2, "failed"), "d", "1");
  const { recorded } = read();
  await expect.poll(() => recorded.length).toBe(1);
  expect(await outcomes.unread("d")).toBe(1);
  await paused.resume();
  await expect.poll(() => outcomes.unread("d")).toBe(0);
});

test("one that is published twice while it is unread is there once, and once more after it was read", async () => {
  const { outcomes, read } = openPlace();
  const record = recordOf("b", 1);
  await outcomes.publish(record, "d", "1");
  await outcomes.publish(record, "d", "1");
  await outcomes.publish(record, "d", "2");
  expect(await outcomes.unread("d")).toBe(2);
  const { recorded } = read();
  await expect.poll(() => outcomes.unread("d")).toBe(0);
  await outcomes.publish(record, "d", "1");
  await expect.poll(() => recorded.length).toBe(3);
});

test.each([
  ["a later version", { ...recordOf("b", 1), schema: 2 }],
  ["something else", { hello: "world" }],
])("%s stays for who knows it, and is said", async (_, data) => {
  const { outcomes, queue, events, read } = openPlace();
  const unknown = queue("d");
  closers.push(() => unknown.close());
  await unknown.add("outcome", data, { jobId: "r_x_1" });
  await outcomes.publish(recordOf("b", 2), "d", "1");
  const { recorded } = read();
  await expect.poll(() => recorded.length).toBe(1);
  await outcomes.publish(recordOf("b", 3), "d", "1");
  await expect.poll(() => recorded.length).toBe(2);
  expect(await outcomes.unread("d")).toBe(1);
  expect(events).toMatchObject([{ type: "fault", error: null }]);
});

test("a reader that closes lets what it took be recorded first", async () => {
  const { outcomes, read } = openPlace();
  await outcomes.publish(recordOf("b", 1), "d", "1");
  const held: (() => void)[] = [];
  const { close } = read(() => new Promise((resolve) => held.push(resolve)));
  await expect.poll(() => held.length).toBe(1);
  const closed = close();
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
