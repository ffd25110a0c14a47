import { Queue } from "bullmq";
import { afterEach, expect, test } from "vitest";
import { createProducer, type ImageToRead, type Producer, type ProducerOptions } from "../../src/client/index.js";
import { imageJobSchema, requestId } from "../../src/domain/payload.js";
import { BATCH_PRIORITY, IMAGE_QUEUE, outcomeQueueName } from "../../src/domain/queue-names.js";
import { createImages } from "../../src/queue/images.js";
import { Keys } from "../../src/queue/keys.js";
import { createOutcomes } from "../../src/queue/outcomes.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { url, redis, keys: of } = openTestRedis();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

let places = 0;
function openPlace(options: Partial<ProducerOptions> = {}) {
  const keys = new Keys(`${of.prefix}-${places++}`);
  const queue = new Queue(IMAGE_QUEUE, { connection: redis, prefix: keys.prefix });
  const producer: Producer = createProducer({ redisUrl: url, prefix: keys.prefix, ...options });
  closers.push(
    () => queue.close(),
    () => producer.close(),
  );
  return { keys, queue, producer };
}

const wish = (path: string, more: Partial<ImageToRead> = {}): ImageToRead => ({
  image: { root: "archive", path, page: 0 },
  batch: "crm",
  ...more,
});

test("what is enqueued is a valid job, with the id that the application would give it", async () => {
  const { keys, queue, producer } = openPlace();
  const [enqueued] = await producer.add(wish("a.jpg", { ref: "mine", destination: "crm" }));
  const request = requestId("crm", "archive:a.jpg", 0, "mine");
  expect(enqueued).toEqual({ request, jobId: request });
  const job = await queue.getJob(request);
  expect(imageJobSchema.safeParse(job?.data).success).toBe(true);
  expect(job).toMatchObject({ name: "image", opts: { priority: BATCH_PRIORITY } });

  const images = createImages(redis, keys);
  closers.push(() => images.close());
  await images.add([{ request, job: imageJobSchema.parse(job?.data) }]);
  await producer.add([wish("a.jpg", { ref: "mine", destination: "crm" })]);
  expect(await images.backlog()).toBe(1);
});

test("a job for all pages is not in the way of the first page's", async () => {
  const { queue, producer } = openPlace();
  const [all] = await producer.add({ image: { path: "/scans/a.tif" }, batch: "crm" });
  const [first] = await producer.add({ image: { path: "/scans/a.tif", page: 0 }, batch: "crm" });
  expect(all?.request).toBe(first?.request);
  expect(await queue.getPrioritizedCount()).toBe(2);
});

test("an interactive job goes ahead of every batch", async () => {
  const { queue, producer } = openPlace();
  await producer.add([wish("a.jpg"), wish("b.jpg", { priority: "interactive" })]);
  expect((await queue.getWaiting()).map(({ data }) => data.image.path)).toEqual(["b.jpg"]);
});

const PAN = cardNumber();
test.each([
  ["a name with a card number", wish(`${PAN}.jpg`), "reference-holds-card-number"],
  ["a ref with a card number", wish("a.jpg", { ref: PAN }), "payload-invalid"],
  ["a ref that is too long", wish("a.jpg", { ref: "r".repeat(129) }), "payload-invalid"],
  ["a destination that BullMQ cannot name", wish("a.jpg", { destination: "a:b" }), "payload-invalid"],
  ["no path", { batch: "crm", image: {} } as unknown as ImageToRead, "payload-invalid"],
  ["pixels", { ...wish("a"), image: { data: "AAAA" } } as unknown as ImageToRead, "payload-invalid"],
  ["half a page", wish("a", { image: { path: "/a", page: 0.5 } }), "payload-invalid"],
  ["a foreign key", wish("a", { image: { path: "/a", key: "sha256:1" } }), "payload-invalid"],
])("refuses %s, and then enqueues nothing of what came with it", async (_what, refused, code) => {
  const { queue, producer } = openPlace();
  const failure = await producer.add([wish("b.jpg"), refused]).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: "CardbatchClientError", code });
  expect(String(failure)).not.toContain(PAN);
  expect(await queue.getJobCountByTypes("wait", "prioritized")).toBe(0);
});

test("no more waits than is allowed; who waits for room is told when none comes, or leaves when asked to", async () => {
  const { queue, producer } = openPlace({ mostWaiting: 5, patienceMs: 50 });
  const eight = Array.from({ length: 8 }, (_, i) => wish(`${i}.jpg`));
  await expect(producer.add(eight)).rejects.toMatchObject({ code: "queue-full" });
  expect(await queue.getPrioritizedCount()).toBe(5);
  const leaving = AbortSignal.timeout(10);
  await expect(producer.add(wish("9.jpg"), { signal: leaving })).rejects.toThrow();

  const patient = openPlace({ mostWaiting: 5 });
  const adding = patient.producer.add(eight);
  await expect.poll(() => patient.queue.getPrioritizedCount()).toBe(5);
  for (const job of await patient.queue.getPrioritized()) await job.remove();
  await adding;
  expect(await patient.queue.getPrioritizedCount()).toBe(3);
});

test("a destination whose outcomes nobody reads holds back its own jobs only", async () => {
  const { keys, queue, producer } = openPlace({ mostUnread: 3, patienceMs: 50 });
  const outcomes = createOutcomes(redis, keys, 1000);
  closers.push(() => outcomes.close());
  for (let i = 0; i < 3; i++) await outcomes.publish(recordOf("b", i, i === 0 ? "failed" : "accepted"), "slow", "1");
  const both = [wish("a.jpg", { destination: "slow" }), wish("b.jpg", { destination: "quick" })];
  await expect(producer.add(both)).rejects.toMatchObject({ code: "queue-full" });
  expect((await queue.getPrioritized()).map(({ data }) => data.destination)).toEqual(["quick"]);
  const unread = new Queue(outcomeQueueName("results", "slow"), { connection: redis, prefix: keys.prefix });
  closers.push(() => unread.close());
  await unread.drain();
  await producer.add(both);
  expect(await queue.getPrioritizedCount()).toBe(2);
});

test("a Redis that is not there is told of, and nothing is taken after close", async () => {
  const { producer } = openPlace({ redisUrl: "redis://127.0.0.1:1" });
  await expect(producer.add(wish("a.jpg"))).rejects.toMatchObject({ code: "redis-unavailable" });
  const idle = openPlace().producer;
  await idle.close();
  await expect(idle.add(wish("a.jpg"))).rejects.toMatchObject({ code: "closed" });
});
