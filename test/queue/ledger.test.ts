import { beforeEach, describe, expect, test } from "vitest";
import { answerKey, type ProviderName } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { CallAccount, ClaimContext } from "../../src/domain/ledger.js";
import type { Outcome } from "../../src/domain/reading.js";
import { createBatches } from "../../src/queue/batches.js";
import { createLedger } from "../../src/queue/ledger.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { startLedgerProcess } from "../helpers/ledger-process.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
const LONG_MS = 60_000;
const ANSWER = Buffer.from("an answer, with | and \0 in it");

const startProcess = (name: string) => startLedgerProcess(redis, keys, name);

function openBatch(name: string, more: { providers?: ProviderName[]; refresh?: boolean; threshold?: number } = {}) {
  const { providers = ["huawei"], refresh = false, threshold = 0.9 } = more;
  const thresholds = { ...THRESHOLDS, huawei: threshold };
  return batches.open({ name, destination: null, sources: [], providers, thresholds, refresh });
}

function wish(batch: Batch, name: string, provider: ProviderName = "huawei"): ClaimContext {
  return {
    request: requestOf(batch.name, name),
    provider,
    batch: batch.name,
    generation: batch.generation,
    refreshSinceMs: batch.refreshSinceMs,
    imageKey: image,
    page: 0,
    outcomeMayStand: true,
    isUrgent: false,
  };
}

const account = (batch: string, more: Partial<CallAccount> = {}): CallAccount => ({
  batch,
  provider: "huawei",
  answered: false,
  billable: false,
  uncertain: false,
  notSent: false,
  ...more,
});

async function countsOf(name: string, provider: ProviderName = "huawei") {
  const { providers } = await batches.counts(name);
  const { calls = 0, billableCalls = 0, uncertainCalls = 0 } = providers[provider] ?? {};
  return [calls, billableCalls, uncertainCalls];
}

/** A new image and a new batch for each test. */
let image = imageKeyOf(0);
let key = "";
let batch: Batch;
let tests = 0;
beforeEach(async () => {
  image = imageKeyOf(++tests);
  key = answerKey(image, 0, "huawei", "");
  batch = await openBatch(`b${tests}`);
});

describe("a page", () => {
  test("is one process's to call for, and nobody else's meanwhile", async () => {
    const [one, two] = [await startProcess("one"), await startProcess("two")];
    expect(await one.claim(key, wish(batch, "a"))).toMatchObject({
      kind: "claimed",
      owner: requestOf(batch.name, "a"),
    });
    expect(await one.claim(key, wish(batch, "b"))).toEqual({ kind: "busy" });
    expect(await two.claim(key, wish(batch, "c"))).toEqual({ kind: "busy" });
    await one.release(key, null);
    expect(await two.claim(key, wish(batch, "c"))).toMatchObject({ kind: "claimed" });
  });

  test("belongs to the request that was admitted first, whoever comes for it", async () => {
    const process = await startProcess("one");
    const admissions = ["first", "second"].map((name) => ({ ...wish(batch, name), page: 0 }));
    await batches.admit(batch, admissions);
    const owner = requestOf(batch.name, "first");
    expect(await process.claim(key, wish(batch, "second"))).toMatchObject({ kind: "claimed", owner });
    await process.store(key, ANSWER, null, 0);
    expect(await process.claim(key, wish(batch, "second"))).toEqual({ kind: "answered", owner, sealed: ANSWER });
    const other = await openBatch(`${batch.name}-other`);
    const own = requestOf(other.name, "second");
    expect(await process.claim(key, wish(other, "second"))).toMatchObject({ kind: "answered", owner: own });
  });

  test("is done once its outcome is on its way, unless its file was replaced", async () => {
    const process = await startProcess("one");
    const { generation, name } = batch;
    const record = recordOf(name, "a", "accepted", { image: { key: image, source: "a", page: 0 } });
    await createRecorder(redis, keys, `s-${name}`).commit(null, [{ record, generation }]);
    expect(await process.claim(key, wish(batch, "a"))).toEqual({ kind: "done" });
    const replaced = { ...wish(batch, "a"), imageKey: imageKeyOf("another") };
    expect(await process.claim(answerKey(replaced.imageKey, 0, "huawei", ""), replaced)).toMatchObject({
      kind: "claimed",
    });
  });
});

describe("the first answer", () => {
  test("stays", async () => {
    const process = await startProcess("one");
    await process.store(key, ANSWER, null, 0);
    await process.store(key, Buffer.from("a later one"), null, 0);
    expect(await process.claim(key, wish(batch, "a"))).toMatchObject({ kind: "answered", sealed: ANSWER });
  });

  test("is forgotten after its retention", async () => {
    const ledger = createLedger(redis, keys, { presence: "p", retentionMs: 1 });
    await ledger.store({ key, ticket: "p#1" }, ANSWER, null, 0);
    await expect.poll(() => redis.exists(keys.answer(key))).toBe(0);
  });

  test("does not count after a refresh, and the one that does stays in turn", async () => {
    const process = await startProcess("one");
    await process.store(key, ANSWER, null, 0);
    const storedUs = await timeUs();
    await expect.poll(timeUs, { interval: 2 }).toBeGreaterThan(storedUs + 1000);
    const refreshed = await openBatch(batch.name, { refresh: true });
    expect(await process.claim(key, wish(refreshed, "a"))).toMatchObject({ kind: "claimed" });
    const newer = Buffer.from("newer");
    await process.store(key, newer, null, refreshed.refreshSinceMs);
    await process.store(key, Buffer.from("newest"), null, refreshed.refreshSinceMs);
    expect(await process.claim(key, wish(refreshed, "b"))).toMatchObject({ kind: "answered", sealed: newer });
  });
});

describe("a claim whose process died", () => {
  test("before it called is free, and nothing is counted", async () => {
    const [dead, alive] = [await startProcess("dead"), await startProcess("alive")];
    await dead.claim(key, wish(batch, "a"));
    await dead.kill();
    expect(await alive.claim(key, wish(batch, "b"))).toMatchObject({ kind: "claimed" });
    expect(await countsOf(batch.name)).toEqual([0, 0, 0]);
  });

  test.each([
    ["with a call under way", LONG_MS, true],
    ["or lives on while its call's deadline has passed", -1, false],
  ])("%s is free, and the call is uncertain, once, in the batch that made it", async (_, deadlineMs, dies) => {
    const [first, second] = [await startProcess("first"), await startProcess("second")];
    const other = await openBatch(`${batch.name}-other`);
    await first.claim(key, wish(batch, "a"));
    await first.markSent(key, batch, { deadlineMs });
    if (dies) await first.kill();
    expect(await second.claim(key, wish(other, "b"))).toMatchObject({ kind: "claimed" });
    expect(await second.claim(key, wish(other, "c"))).toEqual({ kind: "busy" });
    expect(await countsOf(batch.name)).toEqual([1, 0, 1]);
    expect(await countsOf(other.name)).toEqual([0, 0, 0]);
  });

  test("and who comes back late lets nobody else's claim go", async () => {
    const [late, next] = [await startProcess("late"), await startProcess("next")];
    await late.claim(key, wish(batch, "a"));
    await late.kill();
    await next.claim(key, wish(batch, "b"));
    await late.release(key, null);
    expect(await late.claim(key, wish(batch, "c"))).toEqual({ kind: "busy" });
  });
});

describe("the accounts", () => {
  test.each([
    ["an answer that is charged for", { billable: true }, [1, 1, 0]],
    ["one that is not", {}, [1, 0, 0]],
    ["a call whose answer never came", { uncertain: true }, [1, 0, 1]],
    ["a call that did not go out after all", { notSent: true }, [0, 0, 0]],
  ])("of %s", async (_, came, expected) => {
    const process = await startProcess("one");
    await process.claim(key, wish(batch, "a"));
    expect(await process.markSent(key, batch)).toBe("go");
    await process.release(key, account(batch.name, came));
    expect(await countsOf(batch.name)).toEqual(expected);
  });

  const slot = { atUs: 0, intervalUs: 1e6, toleranceUs: 0, epoch: 0, isProbe: false };

  test.each([
    ["has been missed", slot],
    ["belongs to another pace", { ...slot, epoch: 7 }],
  ])("tell of no call whose slot %s", async (_, its) => {
    const process = await startProcess("one");
    await redis.hset(keys.pace("huawei", "account"), "sent", String((Date.now() + 1000) * 1000));
    await process.claim(key, wish(batch, "a"));
    expect(await process.markSent(key, batch, { slot: its })).toBe("void");
    expect(await countsOf(batch.name)).toEqual([0, 0, 0]);
    await process.release(key, null);
    expect(await process.claim(key, wish(batch, "a"))).toMatchObject({ kind: "claimed" });
  });
});

describe("an outcome from before, of another policy, whose answer is no longer kept", () => {
  async function record(outcome: Outcome, { generation }: Batch) {
    const record = recordOf(batch.name, "a", outcome, { image: { key: image, source: "a", page: 0 } });
    await createRecorder(redis, keys, `s-${batch.name}`).commit(null, [{ record, generation }]);
  }
  const claimFor = async (context: ClaimContext) => {
    const process = await startProcess("one");
    const its = answerKey(image, 0, context.provider, "");
    const { kind } = await process.claim(its, context);
    await process.release(its, null);
    return kind;
  };

  test.each(["accepted", "review", "rejected", "duplicate"] as const)("%s stands", async (outcome) => {
    await record(outcome, batch);
    const reopened = await openBatch(batch.name, { threshold: 0.5 });
    expect(await batches.counts(batch.name)).toMatchObject({ stale: 1 });
    expect(await claimFor(wish(reopened, "a"))).toBe("kept");
    expect(await batches.counts(batch.name)).toMatchObject({ found: 1, pending: 0, stale: 0 });
    expect(await claimFor(wish(reopened, "a"))).toBe("done");
  });

  test("failed does not", async () => {
    await record("failed", batch);
    expect(await claimFor(wish(await openBatch(batch.name, { threshold: 0.5 }), "a"))).toBe("claimed");
  });

  test("does not stand in for a provider that nobody has asked", async () => {
    await record("review", batch);
    const reopened = await openBatch(batch.name, { providers: ["huawei", "shiliuai"] });
    expect(await claimFor(wish(reopened, "a", "shiliuai"))).toBe("claimed");
    expect(await claimFor(wish(reopened, "a", "huawei"))).toBe("kept");
  });

  test("does not stand once another answer about the page has been read", async () => {
    await record("accepted", batch);
    const reopened = await openBatch(batch.name, { threshold: 0.99 });
    expect(await claimFor({ ...wish(reopened, "a"), outcomeMayStand: false })).toBe("claimed");
  });

  test("does not stand against a refresh, but stands once it was made after one", async () => {
    await record("accepted", batch);
    const refreshed = await openBatch(batch.name, { refresh: true });
    expect(await claimFor(wish(refreshed, "a"))).toBe("claimed");
    await record("accepted", refreshed);
    expect(await claimFor(wish(await openBatch(batch.name, { threshold: 0.5 }), "a"))).toBe("kept");
  });
});

async function timeUs(): Promise<number> {
  const [seconds, us] = await redis.time();
  return Number(seconds) * 1e6 + Number(us);
}
