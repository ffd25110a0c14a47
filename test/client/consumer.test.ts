import { Queue } from "bullmq";
import { afterEach, expect, test } from "vitest";
import { type ConsumerTrouble, consumeResults, type OutcomeHandler } from "../../src/client/index.js";
import { outcomeQueueName } from "../../src/domain/queue-names.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { Keys } from "../../src/queue/keys.js";
import { createOutcomeReader } from "../../src/queue/outcome-reader.js";
import { createOutcomes } from "../../src/queue/outcomes.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { url, redis, connect, keys: of } = openTestRedis();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

let places = 0;
function openPlace() {
  const keys = new Keys(`${of.prefix}-${places++}`);
  const outcomes = createOutcomes(redis, keys, 1000);
  closers.push(() => outcomes.close());
  const queue = new Queue(outcomeQueueName("results", "crm"), { connection: redis, prefix: keys.prefix });
  closers.push(() => queue.close());
  const troubles: ConsumerTrouble[] = [];
  const consume = (handler: OutcomeHandler) => {
    const onTrouble = (trouble: ConsumerTrouble) => void troubles.push(trouble);
    const consumer = consumeResults({ redisUrl: url, prefix: keys.prefix, destination: "crm", onTrouble }, handler);
    closers.push(() => consumer.close());
    return consumer;
  };
  const publish = (record: OutcomeRecord, destination = "crm") => outcomes.publish(record, destination, "1");
  return { keys, outcomes, queue, troubles, consume, publish };
}

test("outcomes of both queues come once each, and are gone when the handler has resolved", async () => {
  const { outcomes, consume, publish } = openPlace();
  const all = [recordOf("b", 1), recordOf("b", 2, "failed"), recordOf("b", 3, "review")];
  for (const record of all) await publish(record);
  await publish(recordOf("b", 4), "others");
  const seen: OutcomeRecord[] = [];
  consume(async (outcome, { attempt }) => {
    expect(attempt).toBe(1);
    seen.push(outcome);
  });
  await expect.poll(() => outcomes.unread("crm")).toBe(0);
  expect(seen.sort((a, b) => a.image.source.localeCompare(b.image.source))).toEqual(all);
  expect(await outcomes.unread("others")).toBe(1);
});

test("an outcome that the handler does not take comes again, and holds up no other", async () => {
  const { outcomes, troubles, consume, publish } = openPlace();
  for (const i of [1, 2, 3]) await publish(recordOf("b", i));
  const seen: string[] = [];
  consume(async ({ image }, { attempt }) => {
    seen.push(`${image.source} ${attempt}`);
    if (image.source === "2.jpg" && attempt === 1) throw new Error("the database is away");
  });
  await expect.poll(() => outcomes.unread("crm")).toBe(0);
  expect(seen.sort()).toEqual(["1.jpg 1", "2.jpg 1", "2.jpg 2", "3.jpg 1"]);
  expect(troubles).toMatchObject([{ kind: "handler-failed", error: { message: "the database is away" } }]);
});

test.each([
  ["another version", { ...recordOf("b", 1), schema: 2 }],
  ["no outcome", { schema: 1, hello: "world" }],
  ["nothing", null],
])("%s is left where it is, told of, and never handed out", async (_what, data) => {
  const { queue, outcomes, troubles, consume, publish } = openPlace();
  await queue.add("outcome", data, { jobId: "foreign", removeOnComplete: true });
  await publish(recordOf("b", 2));
  const seen: string[] = [];
  consume(async ({ image }) => void seen.push(image.source));
  await expect.poll(() => troubles.length + seen.length).toBe(2);
  expect(seen).toEqual(["2.jpg"]);
  await expect.poll(() => outcomes.unread("crm")).toBe(1);
  expect(troubles).toMatchObject([{ kind: "unknown-version" }]);
  expect((await queue.getJob("foreign"))?.data).toEqual(data);
});

test("close waits for the handler, and what was not taken is there for the next, be it a drain", async () => {
  const { keys, outcomes, consume, publish } = openPlace();
  await publish(recordOf("b", 1));
  let finish = () => {};
  const begun = new Promise<void>((resolve) => {
    const consumer = consume(async () => {
      resolve();
      await new Promise<void>((done) => {
        finish = done;
      });
    });
    closers.push(() => consumer.close());
  });
  await begun;
  const [closeConsumer] = closers.splice(-1);
  const closing = closeConsumer?.();
  finish();
  await closing;
  expect(await outcomes.unread("crm")).toBe(0);

  await publish(recordOf("b", 2));
  const refusing = consume(() => Promise.reject(new Error("not now")));
  await expect.poll(() => redis.zcard(`${keys.prefix}:card-results.crm:delayed`)).toBe(1);
  await refusing.close();
  const { commit } = createRecorder(redis, keys, "sink");
  const drained: string[] = [];
  const reader = createOutcomeReader(
    connect(),
    keys,
    "crm",
    async (group) => {
      await commit(null, group);
      drained.push(...group.map(({ record }) => record.image.source));
    },
    () => {},
  );
  closers.push(() => reader.close());
  await expect.poll(() => drained).toEqual(["2.jpg"]);
});
