import { setMaxListeners } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDispatcher } from "../../src/dispatch/dispatch-page.js";
import { answerKey } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { Dispatcher } from "../../src/domain/dispatcher.js";
import type { Emulator } from "../../src/http/emulate/emulator.js";
import type { FaultsInput } from "../../src/http/emulate/faults.js";
import { createHttpClient, type HttpClient } from "../../src/providers/http-client.js";
import { createBatches } from "../../src/queue/batches.js";
import { imageField } from "../../src/queue/keys.js";
import { createLedger } from "../../src/queue/ledger.js";
import { createPace } from "../../src/queue/pace.js";
import { openPresence } from "../../src/queue/presence.js";
import { createVault } from "../../src/vault/vault.js";
import { createProvider, KNOWN, openEmulator } from "../contract/emulated-vendor.js";
import { drawPicture, preparePicture } from "../contract/pictures.js";
import { imageKeyOf } from "../helpers/image-keys.js";
import { openTestRedis } from "../helpers/redis.js";
import { testKeyring } from "../vault/test-keyring.js";
import { pageOf } from "./parts.js";

const IMAGES = 80;
const RATE = 1000;
const FAULTS: FaultsInput = {
  seed: 7,
  rules: [
    { probability: 0.2, do: { kind: "status", status: 503 } },
    { probability: 0.1, do: { kind: "status", status: 429, retryAfter: "0" } },
    { probability: 0.05, do: { kind: "reset-before" } },
    { probability: 0.05, do: { kind: "reset-after" } },
    { probability: 0.05, do: { kind: "truncated", how: "cut" } },
  ],
};
const NEVER = { soft: new AbortController().signal, hard: new AbortController().signal };
setMaxListeners(0, NEVER.soft, NEVER.hard);

const { keys, connect } = openTestRedis();
const { sealAnswer, openAnswer } = createVault(testKeyring());
let emulator: Emulator;
let http: HttpClient;
let batch: Batch;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  emulator = await openEmulator({ faults: FAULTS });
  http = createHttpClient({ connections: 16 });
  const thresholds = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
  const settled = { providers: ["huawei"], thresholds, destination: null, sources: [] } as const;
  batch = await createBatches(connect(), keys).open({ name: "b", refresh: false, ...settled });
});
afterAll(async () => {
  for (const close of closers) await close();
  await http.close();
  await emulator.close();
});

/** One process of the fleet. */
async function startDispatcher(): Promise<Dispatcher> {
  const redis = connect();
  const presence = await openPresence(redis, keys);
  const ledger = createLedger(redis, keys, { presence: presence.id, retentionMs: 60_000 });
  const provider = createProvider({ kind: "token", token: KNOWN.token }, { url: emulator.url, http, timeoutMs: 5000 });
  const pace = await createPace(redis, keys, {
    provider: "huawei",
    account: provider.account,
    limits: { perSecond: RATE, perMinute: null, perDay: null, inFlight: null },
    timeoutMs: 5000,
    burst: 1,
    presence: presence.id,
  });
  closers.push(
    () => pace.close(),
    () => presence.close(),
    () => provider.close(),
  );
  return createDispatcher(
    { provider, pace, timeoutMs: 5000, concurrency: 100 },
    { ledger, sealAnswer, openAnswer, emit: () => {} },
  );
}

/** Comes back for a page until it is answered, as the worker does. */
async function readPage(dispatcher: Dispatcher, image: number, name: string): Promise<number> {
  const page = pageOf(name, {
    batch,
    imageKey: imageKeyOf(image),
    prepare: async () => preparePicture(drawPicture(image)),
  });
  for (;;) {
    const dispatched = await dispatcher.dispatch(page, NEVER).catch(() => null);
    if (dispatched !== null) return page.made();
    await new Promise(setImmediate);
  }
}

test("two processes, a faulty vendor, every image wanted twice: answered once, and every count is the vendor's", async () => {
  const fleet = [await startDispatcher(), await startDispatcher()];
  const calls = await Promise.all(
    Array.from({ length: IMAGES }, (_, image) =>
      fleet.map((dispatcher, index) => readPage(dispatcher, image, `${image}-${index}`)),
    ).flat(),
  );
  const totals = emulator.totals();
  const { providers } = await createBatches(connect(), keys).counts("b");
  expect(totals).toMatchObject({ images: IMAGES, answered: IMAGES, pending: 0 });
  expect(providers.huawei).toEqual({
    calls: totals.calls,
    billableCalls: totals.billable,
    uncertainCalls: totals.uncertain,
  });
  expect(calls.reduce((sum, made) => sum + made, 0)).toBe(totals.calls);
  expect(totals.uncertain).toBeGreaterThan(0);
  expect(totals.byStatus["429"]).toBeGreaterThan(0);
  expect(totals.maxCallsInAnySecond).toBeLessThanOrEqual(RATE + 2);
});

test("what is stored can be opened with the keyring alone, and tells nothing without it", async () => {
  const redis = connect();
  const key = answerKey(imageKeyOf(0), 0, "huawei", (await startDispatcher()).provider.answerOptions);
  const sealed = await redis.getBuffer(keys.answer(key));
  const owner = await redis.hget(keys.images("b", imageField(imageKeyOf(0), 0)), imageField(imageKeyOf(0), 0));
  const stored = openAnswer((sealed ?? Buffer.alloc(0)).subarray((sealed?.indexOf("|") ?? 0) + 1), key);
  expect([pageOf("0-0").request, pageOf("0-1").request]).toContain(stored.request);
  expect([pageOf("0-0").request, pageOf("0-1").request]).toContain(owner);
  expect(sealed?.toString("latin1")).not.toMatch(/\d{14}\D|requestId|cards/);
});
