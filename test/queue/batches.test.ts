import { afterEach, describe, expect, test, vi } from "vitest";
import type { Admission, Batch } from "../../src/domain/batch.js";
import type { Outcome } from "../../src/domain/reading.js";
import { createBatches, type OpenBatch } from "../../src/queue/batches.js";
import { imageField } from "../../src/queue/keys.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { recordOf } from "../helpers/records.js";
import { allKeys, openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
afterEach(() => void vi.useRealTimers());

function open(name: string, more: Partial<OpenBatch> = {}) {
  const settled = { destination: "d", sources: [{ path: "/scans" }], providers: ["huawei"], thresholds: THRESHOLDS };
  return batches.open({ name, refresh: false, ...settled, providers: ["huawei"], ...more });
}

const page = (batch: string, name: string | number): Admission => ({
  request: requestOf(batch, name),
  imageKey: imageKeyOf(name),
  page: 0,
});

function record(batch: Batch, name: string | number, outcome: Outcome = "accepted") {
  const { generation } = batch;
  return createRecorder(redis, keys, `sink-${batch.name}`).commit(null, [
    { record: recordOf(batch.name, name, outcome), generation },
  ]);
}

describe("a batch", () => {
  test("is found again as it was opened", async () => {
    expect(await batches.get("found")).toBeNull();
    const batch = await open("found");
    expect(batch).toMatchObject({ name: "found", destination: "d", generation: "1", refreshSinceMs: 0 });
    expect(await batches.get("found")).toEqual(batch);
    expect(await redis.smembers(keys.batches())).toContain("found");
  });

  test("keeps its outcomes when it is opened again with other sources or another destination", async () => {
    await record(await open("same"), 1);
    const again = await open("same", { sources: [{ root: "archive", path: "x" }], destination: null });
    expect(again).toMatchObject({ generation: "1", destination: null, sources: [{ root: "archive", path: "x" }] });
    expect(await batches.counts("same")).toMatchObject({ stale: 0 });
  });

  test("is not complete before a file that was replaced has been read again", async () => {
    const batch = await open("replaced");
    await batches.admit(batch, [page("replaced", "a")]);
    const read = (image: string) => {
      const of = { image: { key: imageKeyOf(image), source: "a", page: 0 } };
      const outcome = { record: recordOf("replaced", "a", "accepted", of), generation: batch.generation };
      return createRecorder(redis, keys, "sink-replaced").commit(null, [outcome]);
    };
    await read("a");
    expect(await batches.admit(batch, [page("replaced", "a")])).toEqual([false]);
    expect(await batches.counts("replaced")).toMatchObject({ stale: 0 });
    const other = { ...page("replaced", "a"), imageKey: imageKeyOf("b") };
    for (const time of ["at first", "again"]) {
      expect(await batches.admit(batch, [other]), time).toEqual([true]);
      expect(await batches.counts("replaced"), time).toMatchObject({ found: 1, pending: 0, stale: 1 });
    }
    await read("b");
    expect(await batches.counts("replaced")).toMatchObject({ found: 1, stale: 0, outcomes: { accepted: 1 } });
    expect(await batches.admit(batch, [other])).toEqual([false]);
  });

  test.each([
    ["other thresholds", { thresholds: { ...THRESHOLDS, huawei: 0.5 } }],
    ["a further provider", { providers: ["huawei", "shiliuai"] as const }],
    ["the same providers in another order", { providers: ["shiliuai", "huawei"] as const }],
    ["to call again", { refresh: true }],
  ])("is judged anew with %s", async (title, more) => {
    const before = await open(title);
    await record(before, 1);
    const after = await open(title, more);
    expect(after.generation).not.toBe(before.generation);
    expect(await batches.counts(title)).toMatchObject({ found: 1, pending: 0, stale: 1, outcomes: { accepted: 1 } });
    expect(await batches.admit(after, [page(title, 1)])).toEqual([true]);
  });

  test("that was refreshed counts by the clock of the server, whatever time it is here", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const { refreshSinceMs } = await open("clock", { refresh: true });
    const [seconds] = await redis.time();
    expect(Math.abs(refreshSinceMs - Number(seconds) * 1000)).toBeLessThan(60_000);
    expect((await open("clock")).refreshSinceMs).toBe(refreshSinceMs);
  });

  test("is fed when it was said, until it is opened again", async () => {
    await open("fed");
    expect((await batches.counts("fed")).fed).toBe(false);
    await batches.setFed("fed", true);
    expect((await batches.counts("fed")).fed).toBe(true);
    await open("fed");
    expect((await batches.counts("fed")).fed).toBe(false);
  });

  test("goes through its generations and round", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 62; i++) seen.add((await open("round", { refresh: i > 0 })).generation);
    expect(seen.size).toBe(62);
    expect((await open("round", { refresh: true })).generation).toBe("1");
  });
});

describe("pages that are admitted", () => {
  test("count once, however often they come, also twice at once", async () => {
    const batch = await open("admit");
    const pages = [1, 2, 2, 3].map((name) => page("admit", name));
    expect(await batches.admit(batch, pages)).toEqual([true, true, true, true]);
    expect(await batches.admit(batch, pages)).toEqual([true, true, true, true]);
    expect(await batches.counts("admit")).toMatchObject({ found: 3, pending: 3 });
  });

  test("need nothing more once their outcome for this very image is there", async () => {
    const batch = await open("done");
    await batches.admit(batch, [page("done", 1), page("done", 2)]);
    await record(batch, 1);
    expect(await batches.admit(batch, [page("done", 1), page("done", 2)])).toEqual([false, true]);
    const replaced = { ...page("done", 1), imageKey: imageKeyOf("replaced") };
    const gone = { ...page("done", 1), imageKey: null };
    expect(await batches.admit(batch, [replaced, gone])).toEqual([true, true]);
    expect(await batches.counts("done")).toMatchObject({ found: 2 });
  });

  test("give an image to the first of them, page by page; who cannot be read has none", async () => {
    const batch = await open("owner");
    const same = imageKeyOf("same");
    const wishes = [
      { ...page("owner", "unreadable"), imageKey: null },
      { ...page("owner", "first"), imageKey: same },
      { ...page("owner", "second"), imageKey: same },
      { ...page("owner", "second page"), imageKey: same, page: 1 },
    ];
    await batches.admit(batch, wishes);
    const ownerOf = (field: string) => redis.hget(keys.images("owner", field), field);
    expect(await ownerOf(imageField(same, 0))).toBe(requestOf("owner", "first"));
    expect(await ownerOf(imageField(same, 1))).toBe(requestOf("owner", "second page"));
  });

  test("of an empty list are none", async () => {
    expect(await batches.admit(await open("none"), [])).toEqual([]);
    expect(await batches.counts("none")).toMatchObject({ found: 0, pending: 0 });
  });
});

describe("a batch that is forgotten", () => {
  test("has no request left, and all its calls", async () => {
    const first = await open("reset");
    await batches.admit(
      first,
      [1, 2, 3].map((name) => page("reset", name)),
    );
    await record(first, 1);
    const batch = await open("reset", { thresholds: { ...THRESHOLDS, local: 0.1 } });
    await record(batch, 2, "failed");
    await batches.addCalls("reset", "huawei", 7, 5);
    await batches.reset("reset");
    expect(await batches.counts("reset")).toMatchObject({
      found: 0,
      outcomes: { accepted: 0, review: 0, rejected: 0, failed: 0, duplicate: 0 },
      pending: 0,
      stale: 0,
      providers: { huawei: { calls: 7, billableCalls: 5, uncertainCalls: 2 } },
      money: { underWay: 0 },
      fed: false,
    });
    expect(await batches.admit(batch, [page("reset", 2)])).toEqual([true]);
    await record(batch, 2);
    expect(await batches.counts("reset")).toMatchObject({ found: 1, pending: 0, stale: 0 });
    const fields = Object.keys(await redis.hgetall(keys.batch("reset")));
    expect(fields.filter((field) => field.startsWith("recorded:"))).toEqual([`recorded:${batch.generation}`]);
  });
});

test("roots are remembered, each once", async () => {
  await batches.rememberRoots([]);
  await batches.rememberRoots(["/a", "/b"]);
  await batches.rememberRoots(["/b"]);
  expect((await batches.rememberedRoots()).sort()).toEqual(["/a", "/b"]);
});

test("which sink a batch is recorded for", async () => {
  expect(await batches.sink("sink")).toBeNull();
  await batches.setSink("sink", "s1");
  expect(await batches.sink("sink")).toBe("s1");
});

describe("the terms of a batch", () => {
  const NIGHT = { from: 22 * 60, to: 6 * 60, tz: "Asia/Shanghai" };

  test("stay as they are until others are given, and go when they are taken away", async () => {
    const terms = { maxCalls: 5, budget: 2_000_000, prices: { huawei: 300_000 }, window: NIGHT };
    expect(await open("terms", { terms })).toMatchObject({ window: NIGHT });
    expect(await open("terms")).toMatchObject({ window: NIGHT });
    const limits = { maxCalls: 5, budget: 2_000_000 };
    expect(await batches.counts("terms")).toMatchObject({ money: { limits, prices: { huawei: 300_000 } } });
    expect(await open("terms", { terms: { maxCalls: 9, budget: null, window: null } })).toMatchObject({ window: null });
    expect(await batches.counts("terms")).toMatchObject({ money: { limits: { maxCalls: 9, budget: null } } });
    expect((await batches.get("terms"))?.window).toBeNull();
  });

  test("do not open its outcomes anew", async () => {
    const before = await open("same terms");
    expect(await open("same terms", { terms: { maxCalls: 1, window: NIGHT } })).toMatchObject({
      generation: before.generation,
    });
  });
});

test("a batch that was cancelled may go on once it is opened again, one that was paused may not", async () => {
  await open("halted");
  await batches.setHalt("halted", "cancelled");
  expect(await batches.get("halted")).toMatchObject({ halt: "cancelled" });
  expect(await open("halted")).toMatchObject({ halt: null });
  expect(await batches.counts("halted")).toMatchObject({ halt: null });
  await batches.setHalt("halted", "paused");
  expect(await open("halted")).toMatchObject({ halt: "paused" });
  await batches.setHalt("halted", null);
  expect(await batches.halt("halted")).toBeNull();
});

test("batches that nobody has opened for a while are forgotten with all that is theirs, those in use are not", async () => {
  const old = await open("untouched");
  await batches.setSink("untouched", "sink-untouched");
  await record(old, 1);
  await batches.admit(old, [page("untouched", 1)]);
  await open("new");
  await open("live");
  await redis.set(keys.lease("batch:live"), "somebody");
  for (const name of ["untouched", "live"]) await redis.hset(keys.batch(name), "openedAtMs", 1);
  expect(await batches.sweep(60_000)).toEqual(["untouched"]);
  const left = (await allKeys(redis, keys.prefix)).flat().filter((name) => name.includes("untouched"));
  expect(left).toEqual([]);
  expect(await redis.smembers(keys.batches())).toEqual(expect.arrayContaining(["new", "live"]));
});
