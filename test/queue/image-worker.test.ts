import { type Job, Queue } from "bullmq";
import { afterEach, describe, expect, test } from "vitest";
import type { Batch } from "../../src/domain/batch.js";
import { ProviderError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { ImageJob } from "../../src/domain/payload.js";
import { type OutcomeRecord, recordSchema } from "../../src/domain/record.js";
import { type AttemptState, FIRST_ATTEMPT } from "../../src/domain/retry-policy.js";
import { createBatches } from "../../src/queue/batches.js";
import { createImageWorker, type ImageWorkerDeps } from "../../src/queue/image-worker.js";
import { createImages } from "../../src/queue/images.js";
import { Keys } from "../../src/queue/keys.js";
import { createOutcomes } from "../../src/queue/outcomes.js";
import { readRedis } from "../../src/queue/scan-redis.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const redisOfTests = openTestRedis();
const CARD = cardNumber();
const NEVER = { soft: new AbortController().signal, hard: new AbortController().signal };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Recognize = ImageWorkerDeps["recognize"];
interface Seen {
  readonly job: ImageJob;
  readonly state: AttemptState;
}

let places = 0;

/** The queues of a place of their own, and a worker there once it is started. */
function openPlace(resultsBacklog = 100) {
  const keys = new Keys(`${redisOfTests.keys.prefix}-${places++}`);
  const images = createImages(redisOfTests.redis, keys);
  const outcomes = createOutcomes(redisOfTests.redis, keys, resultsBacklog);
  const foreign = new Queue("card-images", { connection: redisOfTests.redis, prefix: keys.prefix });
  closers.push(
    () => images.close(),
    () => outcomes.close(),
    () => foreign.close(),
  );
  const events: CardbatchEvent[] = [];
  const seen: Seen[] = [];
  const batchOf = (name: string): Batch => ({
    name,
    providers: ["huawei"],
    thresholds: { huawei: 0.9, shiliuai: 0.9, local: 0.9 },
    destination: `to-${name}`,
    sources: [],
    generation: "3",
    refreshSinceMs: 0,
    window: null,
    halt: null,
  });
  const start = (recognize: Recognize, more: Partial<ImageWorkerDeps> = {}, concurrency = 4) => {
    const deps: ImageWorkerDeps = {
      recognize: (job, ...rest) => {
        seen.push({ job, state: rest[1] });
        return recognize(job, ...rest);
      },
      batch: async (name) => batchOf(name),
      publish: outcomes.publish,
      isCancelled: async () => false,
      isFull: outcomes.isFull,
      addPages: async (pages) => images.add(pages),
      refuse: (jobId) => ({ record: recordOf("b", jobId, "failed", { code: "payload-invalid" }), destination: null }),
      emit: (event) => {
        if (event.type !== "step") events.push(event);
      },
      ...more,
    };
    const worker = createImageWorker(redisOfTests.connect(), keys, { concurrency, stop: NEVER }, deps);
    closers.push(() => worker.close());
    return worker;
  };
  return { keys, images, outcomes, foreign, events, seen, batchOf, start };
}

type Place = ReturnType<typeof openPlace>;

const jobOf = (name: string, more: Partial<ImageJob> = {}): ImageJob => ({
  schema: 1,
  image: { path: `/scans/${name}.jpg`, page: 0 },
  batch: "b",
  ...more,
});
const add = ({ images }: Place, name: string, more: Partial<ImageJob> = {}) =>
  images.add([{ request: requestOf("b", name), job: jobOf(name, more) }]);

const accepts: Recognize = async (job) => ({ kind: "outcome", record: recordOf("b", nameOf(job)) });
const nameOf = ({ image }: ImageJob) => ("path" in image ? image.path.slice("/scans/".length, -".jpg".length) : "");

/** The outcomes of a queue, oldest first, as any consumer sees them. */
async function unread({ keys }: Place, queue: string): Promise<{ record: OutcomeRecord; job: Job }[]> {
  const outcomes = new Queue(queue, { connection: redisOfTests.redis, prefix: keys.prefix });
  const jobs = await outcomes.getJobs(["waiting"], 0, -1, true);
  await outcomes.close();
  return jobs.map((job) => ({ record: recordSchema.parse(job.data), job }));
}

const isEmpty = ({ images }: Place) => expect.poll(() => images.unfinished(), { timeout: 5000 }).toBe(0);

describe("a job of a batch that is halted", () => {
  const halted = ({ batchOf }: Place, halt: Batch["halt"]) => ({
    batch: async (name: string) => ({ ...batchOf(name), halt }),
  });

  test("sleeps while it is paused", async () => {
    const place = openPlace();
    await add(place, "a");
    place.start(accepts, halted(place, "paused"));
    await expect.poll(() => place.images.asleep()).toBe(1);
    expect(place.seen).toEqual([]);
  });

  test("leaves the queue without an outcome when it is cancelled at this very moment, and sleeps when it no longer is", async () => {
    const place = openPlace();
    await add(place, "a");
    await add(place, "b");
    let asked = 0;
    place.start(accepts, { ...halted(place, "cancelled"), isCancelled: async () => asked++ === 0 }, 1);
    await expect.poll(() => place.images.asleep()).toBe(1);
    expect(await place.images.unfinished()).toBe(1);
    expect(place.seen).toEqual([]);
    expect(await unread(place, "card-results.to-b")).toEqual([]);
  });
});

describe("a job", () => {
  test("that has its outcome is gone, and the outcome waits at its batch's destination", async () => {
    const place = openPlace();
    await createBatches(redisOfTests.redis, place.keys).admit(place.batchOf("b"), [
      { request: requestOf("b", "a"), imageKey: imageKeyOf("a"), page: 0 },
    ]);
    await add(place, "a");
    place.start(accepts);
    await isEmpty(place);
    const [outcome, ...others] = await unread(place, "card-results.to-b");
    expect(others).toEqual([]);
    expect(outcome?.record).toEqual(recordOf("b", "a"));
    expect(outcome?.job.id).toBe(`${requestOf("b", "a")}_3`);
    expect(place.events.map(({ type }) => type)).toEqual(["job-started", "finished"]);
    expect(place.seen).toEqual([{ job: jobOf("a"), state: FIRST_ATTEMPT }]);
    expect(await createBatches(redisOfTests.redis, place.keys).counts("b")).toMatchObject({ found: 1, pending: 1 });
  });

  test.each([
    ["failed", "card-failures.to-b"],
    ["rejected", "card-failures.to-b"],
    ["review", "card-results.to-b"],
    ["duplicate", "card-results.to-b"],
  ] as const)("whose outcome is %s goes to %s", async (outcome, queue) => {
    const place = openPlace();
    await add(place, "a");
    place.start(async () => ({ kind: "outcome", record: recordOf("b", "a", outcome) }));
    await expect.poll(() => unread(place, queue)).toHaveLength(1);
  });

  test("may name a destination of its own", async () => {
    const place = openPlace();
    await add(place, "a", { destination: "crm" });
    place.start(accepts);
    await expect.poll(() => unread(place, "card-results.crm")).toHaveLength(1);
  });

  test("that is to come back keeps what it has been through", async () => {
    const place = openPlace();
    const state = { attempts: 2, calls: 1, met: { "provider-unavailable": 1 } };
    const error = new ProviderError("provider-unavailable", "503");
    await add(place, "a");
    place.start(async (job, batch, was, stop) =>
      was.attempts === 1 ? { kind: "again", error, delayMs: 20, state } : accepts(job, batch, was, stop),
    );
    await isEmpty(place);
    expect(place.seen.map((each) => each.state)).toEqual([FIRST_ATTEMPT, state]);
    // It waited for its start once.
    expect(place.events.map(({ type }) => type)).toEqual(["job-started", "put-back", "finished"]);
    expect(place.events[1]).toMatchObject({ code: "provider-unavailable", delayMs: 20, attempts: 2 });
  });

  test("that is settled leaves nothing", async () => {
    const place = openPlace();
    await add(place, "a");
    place.start(async () => ({ kind: "settled" }));
    await isEmpty(place);
    expect(await place.outcomes.unread("to-b")).toBe(0);
  });

  test("of several pages becomes a job a page", async () => {
    const place = openPlace();
    await add(place, "pages");
    const pages = [0, 1, 2].map((page) => ({
      request: requestOf("b", `page-${page}`),
      imageKey: imageKeyOf("pages"),
      page,
      job: jobOf(`page-${page}`),
    }));
    place.start(async (job, ...rest) => (nameOf(job) === "pages" ? { kind: "pages", pages } : accepts(job, ...rest)));
    await expect.poll(() => place.outcomes.unread("to-b")).toBe(3);
    await isEmpty(place);
  });

  test("of another service may have any id, and is gone all the same", async () => {
    const place = openPlace();
    await place.foreign.add("image", jobOf("a"), { jobId: "whatever-they-like", attempts: 1 });
    place.start(accepts);
    await expect.poll(() => place.outcomes.unread("to-b")).toBe(1);
    await isEmpty(place);
    expect(await place.foreign.getCompletedCount()).toBe(0);
  });

  test("that met a fault of ours comes back, however often", async () => {
    const place = openPlace();
    let faults = 0;
    await add(place, "a");
    place.start(accepts, {
      batch: async (name) => {
        if (faults++ < 1) throw new Error(`${name} of ${CARD}`);
        return place.batchOf(name);
      },
    });
    await isEmpty(place);
    expect(await place.outcomes.unread("to-b")).toBe(1);
    expect(place.events.map(({ type }) => type)).toContain("fault");
  });
});

describe("data that make no sense", () => {
  test.each([
    ["of a later version", "image", { ...jobOf("a"), schema: 2 }],
    ["without a version", "image", { image: { path: "/a" } }],
    ["that are no object", "image", "hello"],
    ["of another kind of job", "resize", jobOf("a")],
  ])("%s stay on the queue, and are said", async (_, name, data) => {
    const place = openPlace();
    await place.foreign.add(name, data, { jobId: "unknown" });
    await add(place, "b");
    place.start(accepts);
    await expect.poll(() => place.outcomes.unread("to-b")).toBe(1);
    await expect.poll(() => place.images.unfinished()).toBe(1);
    expect(await place.foreign.getDelayedCount()).toBe(1);
    expect(place.events).toContainEqual({ type: "fault", where: "job of an unknown version", error: null });
  });

  test("of this version fail at once, at their batch's destination, and are not repeated", async () => {
    const place = openPlace();
    await place.foreign.add("image", { ...jobOf("a"), image: { path: "" }, ref: CARD }, { jobId: "j1" });
    place.start(accepts);
    await isEmpty(place);
    const [outcome] = await unread(place, "card-failures.to-b");
    expect(outcome?.record).toMatchObject({ outcome: "failed", code: "payload-invalid" });
    expect(outcome?.job.id).toBe(`${requestOf("b", "j1")}_3`);
    expect(place.events.map(({ type }) => type)).toEqual(["job-started", "finished"]);
    expect(JSON.stringify(outcome?.record)).not.toContain(CARD);
  });

  test.each([
    [{ attempts: -5, calls: 0, met: {} }],
    [{ attempts: 1.5, calls: 0, met: {} }],
    [{ attempts: 1, calls: -1, met: {} }],
    ["many"],
  ])("in place of a job's state count for nothing: %j", async (state) => {
    const place = openPlace();
    await place.foreign.add("image", { ...jobOf("a"), state }, { jobId: "j1" });
    place.start(accepts);
    await isEmpty(place);
    expect(place.seen.map((each) => each.state)).toEqual([FIRST_ATTEMPT]);
  });
});

describe("a worker", () => {
  test("lets a full destination's jobs wait, and others go on", async () => {
    const place = openPlace(2);
    for (const name of ["a", "b", "c"]) await place.outcomes.publish(recordOf("b", name), "to-b", "3");
    await add(place, "waits");
    await add(place, "goes-on", { batch: "other" });
    place.start(accepts);
    await expect.poll(() => place.outcomes.unread("to-other")).toBe(1);
    await expect.poll(() => place.foreign.getDelayedCount()).toBe(1);
    expect(place.seen.map(({ job }) => nameOf(job))).toEqual(["goes-on"]);
    const reader = new Queue("card-results.to-b", { connection: redisOfTests.redis, prefix: place.keys.prefix });
    closers.push(() => reader.close());
    await reader.drain();
    await expect.poll(() => unread(place, "card-results.to-b"), { timeout: 5000 }).toHaveLength(1);
    expect(place.events.filter(({ type }) => type === "job-started")).toHaveLength(2);
  });

  test("goes on with what was begun before it begins with more", async () => {
    const place = openPlace();
    const state = { attempts: 1, calls: 0, met: {} };
    const error = new ProviderError("provider-throttled", "429");
    for (const name of ["a", "b", "c"]) await add(place, name);
    let isFirst = true;
    place.start(
      async (...args) => {
        if (isFirst) {
          isFirst = false;
          return { kind: "again", error, delayMs: 0, state };
        }
        // Time enough to come back behind everything.
        await new Promise((resolve) => setTimeout(resolve, 50));
        return accepts(...args);
      },
      {},
      1,
    );
    await isEmpty(place);
    const order = place.seen.map(({ job }) => nameOf(job));
    expect(order).toHaveLength(4);
    expect(order.lastIndexOf("a")).toBeLessThan(order.indexOf("c"));
  });

  test("takes interactive requests first", async () => {
    const place = openPlace();
    for (const name of ["b1", "b2", "b3"]) await add(place, name);
    for (const name of ["i1", "i2"]) await add(place, name, { priority: "interactive" });
    place.start(accepts, {}, 1);
    await isEmpty(place);
    expect(place.seen.map(({ job }) => nameOf(job))).toEqual(["i1", "i2", "b1", "b2", "b3"]);
  });

  test("finishes what it has begun before it closes, and takes nothing more", async () => {
    const place = openPlace();
    for (const name of ["a", "b", "c"]) await add(place, name);
    let finish = () => {};
    const begun = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const worker = place.start(
      async (...args) => {
        await begun;
        return accepts(...args);
      },
      {},
      1,
    );
    await expect.poll(() => place.seen.length).toBe(1);
    const closed = worker.close();
    finish();
    await closed;
    expect(await place.outcomes.unread("to-b")).toBe(1);
    expect(await place.images.unfinished()).toBe(2);
  });
});

test("nothing that a job brings about leaves a card number in Redis", async () => {
  const place = openPlace();
  for (const name of ["accepted", "again", "fault"]) await add(place, name);
  await place.foreign.add("image", { ...jobOf("a"), image: { path: "" } }, { jobId: "invalid" });
  const record = recordOf("b", "accepted");
  place.start(async (job, _batch, state) => {
    const name = nameOf(job);
    if (name === "fault" && place.seen.length < 5) throw new Error(`it was ${CARD}`);
    const error = new ProviderError("provider-unavailable", `it was ${CARD}`);
    if (name === "again" && state.attempts < 3) {
      return { kind: "again", error, delayMs: 1, state: { ...state, attempts: state.attempts + 1 } };
    }
    return { kind: "outcome", record: { ...record, request: requestOf("b", name) } };
  });
  await isEmpty(place);
  const found: string[] = [];
  for await (const { key, value } of readRedis(redisOfTests.redis)) {
    if (key.startsWith(place.keys.prefix) && (value.includes(CARD) || key.includes(CARD))) found.push(key);
  }
  expect(found).toEqual([]);
  expect(await place.foreign.getFailedCount()).toBe(0);
});
