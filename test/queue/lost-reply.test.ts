import { afterAll, beforeAll, expect, test } from "vitest";
import type { Batch } from "../../src/domain/batch.js";
import type { CallAccount } from "../../src/domain/ledger.js";
import { type Batches, createBatches } from "../../src/queue/batches.js";
import { createLedger } from "../../src/queue/ledger.js";
import { openPresence } from "../../src/queue/presence.js";
import { createRecorder } from "../../src/queue/recorder.js";
import type { Redis } from "../../src/queue/redis.js";
import { type FaultProxy, openFaultProxy } from "../helpers/fault-proxy.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { startLedgerProcess } from "../helpers/ledger-process.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

/**
 * A connection that breaks after Redis did what it was asked and before its reply came: the client asks once more, so
 * that every step must come to the same when it is done twice.
 */
const { url, keys, connect } = openTestRedis();
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
const SETTLED = { destination: null, sources: [], providers: ["huawei"], thresholds: THRESHOLDS } as const;
let proxy: FaultProxy;
let redis: Redis;
let batches: Batches;
let batch: Batch;

beforeAll(async () => {
  proxy = await openFaultProxy(url);
  redis = connect(proxy.url);
  batches = createBatches(redis, keys);
  batch = await batches.open({ name: "b", refresh: false, ...SETTLED });
});
afterAll(() => proxy.close());

/** Loses the reply to the first command that `ask` sends. */
async function losingReply<T>(ask: () => Promise<T>): Promise<T> {
  await redis.ping();
  const before = proxy.lost();
  proxy.loseNextReply();
  const reply = await ask();
  expect(proxy.lost()).toBe(before + 1);
  return reply;
}

const wish = () => ({
  request: requestOf("b", "a"),
  provider: "huawei" as const,
  batch: "b",
  generation: batch.generation,
  refreshSinceMs: 0,
  imageKey: imageKeyOf("a"),
  page: 0,
  outcomeMayStand: true,
  isUrgent: false,
});

test("a claim is had, and not held against the one who asked", async () => {
  const ledger = createLedger(redis, keys, { presence: "p", retentionMs: 60_000 });
  await redis.set(keys.owner("p"), "1");
  await ledger.release({ key: "warm", ticket: "" }, null);
  await ledger.claim("first", wish());
  expect(await losingReply(() => ledger.claim("k", wish()))).toMatchObject({ kind: "claimed" });
  expect(await ledger.claim("k", wish())).toEqual({ kind: "busy" });
});

test("a call is counted once, and so is what it came to", async () => {
  const process = await startLedgerProcess(redis, keys, "q");
  const fates = async () => (await batches.counts("b")).providers.huawei;
  const account = { batch: "b", provider: "huawei", answered: true, billable: true, uncertain: false, notSent: false };
  await process.claim("k1", wish());
  await process.markSent("k1", batch);
  await process.store("k1", Buffer.from("answer"), account as CallAccount);
  const before = await fates();
  await process.claim("k2", wish());
  expect(await losingReply(() => process.markSent("k2", batch))).toBe("go");
  expect(await fates()).toMatchObject({ calls: (before?.calls ?? 0) + 1, billableCalls: before?.billableCalls });
  await losingReply(() => process.store("k2", Buffer.from("answer"), account as CallAccount));
  expect(await fates()).toMatchObject({ billableCalls: (before?.billableCalls ?? 0) + 1, uncertainCalls: 0 });
});

test("an outcome is recorded once, and its line stays", async () => {
  const recorder = createRecorder(redis, keys, "s");
  const outcome = (name: string) => ({ record: recordOf("b", name), generation: batch.generation });
  await recorder.commit({ results: 10 }, [outcome("first")]);
  await losingReply(() => recorder.commit({ results: 20 }, [outcome("second")]));
  expect(await recorder.supersededCount()).toBe(0);
  expect(await batches.counts("b")).toMatchObject({ found: 2, pending: 0, outcomes: { accepted: 2 }, stale: 0 });
});

test("pages are admitted once", async () => {
  const pages = ["x", "y"].map((name) => ({ request: requestOf("b", name), imageKey: imageKeyOf(name), page: 0 }));
  const { found } = await batches.counts("b");
  expect(await losingReply(() => batches.admit(batch, pages))).toEqual([true, true]);
  expect((await batches.counts("b")).found).toBe(found + 2);
});

test("a lease is had", async () => {
  const presence = await openPresence(redis, keys);
  expect(await losingReply(() => presence.acquire("batch:b"))).toBe(true);
  await presence.close();
});
