import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { answerKey } from "../../src/domain/answer.js";
import type { Batch, BatchTerms } from "../../src/domain/batch.js";
import type { CallAccount, ClaimContext } from "../../src/domain/ledger.js";
import { createBatches } from "../../src/queue/batches.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { type LedgerProcess, startLedgerProcess } from "../helpers/ledger-process.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };

let rounds = 0;
const openBatch = (terms: BatchTerms, name = `b${++rounds}`) =>
  batches.open({
    name,
    destination: null,
    sources: [],
    providers: ["huawei"],
    thresholds: THRESHOLDS,
    refresh: false,
    terms,
  });
const keyOf = (batch: Batch, page: number) => answerKey(imageKeyOf(`${batch.name} ${page}`), 0, "huawei", "");
const wish = ({ name, generation }: Batch, page: number, more: Partial<ClaimContext> = {}): ClaimContext => ({
  request: requestOf(name, page),
  provider: "huawei",
  batch: name,
  generation,
  refreshSinceMs: 0,
  imageKey: imageKeyOf(`${name} ${page}`),
  page: 0,
  outcomeMayStand: true,
  isUrgent: false,
  ...more,
});
const ANSWER = Buffer.from("answer");
/** What became of a call. */
const ENDS = {
  billed: { answered: true, billable: true, uncertain: false, notSent: false },
  refused: { answered: false, billable: false, uncertain: false, notSent: false },
  uncertain: { answered: false, billable: false, uncertain: true, notSent: false },
  "not sent": { answered: false, billable: false, uncertain: false, notSent: true },
} as const;
type End = keyof typeof ENDS;
const accountOf = (batch: Batch, end: End): CallAccount => ({ batch: batch.name, provider: "huawei", ...ENDS[end] });

async function end(process: LedgerProcess, batch: Batch, page: number, how: End): Promise<void> {
  const key = keyOf(batch, page);
  if (how === "billed") await process.store(key, ANSWER, accountOf(batch, how));
  else await process.release(key, accountOf(batch, how));
}

describe("a batch with two calls", () => {
  let process: LedgerProcess;
  let batch: Batch;
  beforeEach(async () => {
    process = await startLedgerProcess(redis, keys, "one");
    batch = await openBatch({ maxCalls: 2 });
    for (const page of [0, 1, 2]) await process.claim(keyOf(batch, page), wish(batch, page));
    expect(await process.markSent(keyOf(batch, 0), batch)).toBe("go");
    expect(await process.markSent(keyOf(batch, 1), batch)).toBe("go");
  });

  test("makes no third while two are under way, and has changed nothing then", async () => {
    const before = await batches.counts(batch.name);
    expect(await process.markSent(keyOf(batch, 2), batch)).toBe("spent");
    expect(await batches.counts(batch.name)).toEqual(before);
    expect(before.money).toMatchObject({ spent: true, underWay: 2 });
  });

  test.each([
    ["billed", "spent"],
    ["uncertain", "spent"],
    ["refused", "go"],
    ["not sent", "go"],
  ] as const)("makes one when one of them was %s: %s", async (how, departure) => {
    await end(process, batch, 0, how);
    expect(await process.markSent(keyOf(batch, 2), batch)).toBe(departure);
  });

  test("claims no page that takes a call, and gives out what is answered", async () => {
    await end(process, batch, 0, "billed");
    expect(await process.claim(keyOf(batch, 3), wish(batch, 3))).toEqual({ kind: "spent" });
    const other = { ...wish(batch, 0), request: requestOf(batch.name, "another") };
    expect(await process.claim(keyOf(batch, 0), other)).toMatchObject({ kind: "answered" });
  });

  test("goes on when it is opened with more, and other batches never stopped", async () => {
    const other = await openBatch({});
    await process.claim(keyOf(other, 0), wish(other, 0));
    expect(await process.markSent(keyOf(other, 0), other)).toBe("go");
    await openBatch({ maxCalls: 3 }, batch.name);
    expect(await process.markSent(keyOf(batch, 2), batch)).toBe("go");
  });

  test("has none for whoever comes after one who died in a call, until its answer shows otherwise", async () => {
    const next = await startLedgerProcess(redis, keys, "next");
    await process.kill();
    expect(await next.claim(keyOf(batch, 0), wish(batch, 0))).toEqual({ kind: "spent" });
    expect((await batches.counts(batch.name)).providers.huawei).toMatchObject({ calls: 2, uncertainCalls: 1 });
    // It was not dead after all: the vendor had refused, and the call is to be had again.
    await end(process, batch, 0, "refused");
    expect((await batches.counts(batch.name)).providers.huawei).toMatchObject({ calls: 2, uncertainCalls: 0 });
    expect(await next.claim(keyOf(batch, 0), wish(batch, 0))).toMatchObject({ kind: "claimed" });
    expect(await next.markSent(keyOf(batch, 0), batch)).toBe("go");
  });
});

test.each([
  ["0.25 for three at 0.08", { budget: 250_000, prices: { huawei: 80_000 } }, 3],
  ["to the last millionth", { budget: 240_000, prices: { huawei: 80_000 } }, 3],
  ["nothing for none", { budget: 0, prices: { huawei: 1 } }, 0],
  ["what comes first of two limits", { maxCalls: 2, budget: 240_000, prices: { huawei: 80_000 } }, 2],
])("an amount buys as many calls as it pays for: %s", async (_, terms, calls) => {
  const process = await startLedgerProcess(redis, keys, "one");
  const batch = await openBatch(terms);
  let gone = 0;
  for (let page = 0; page < 5; page++) {
    if ((await process.claim(keyOf(batch, page), wish(batch, page))).kind !== "claimed") continue;
    if ((await process.markSent(keyOf(batch, page), batch)) === "go") gone++;
  }
  expect(gone).toBe(calls);
});

test("nothing is called for outside the batch's window", async () => {
  const process = await startLedgerProcess(redis, keys, "one");
  const minute = new Date().getUTCHours() * 60 + new Date().getUTCMinutes();
  const closed = { from: (minute + 120) % 1440, to: (minute + 180) % 1440, tz: "UTC" };
  const batch = await openBatch({ window: closed });
  await process.claim(keyOf(batch, 0), wish(batch, 0));
  expect(await process.markSent(keyOf(batch, 0), batch)).toBe("closed");
  expect((await batches.counts(batch.name)).providers).toEqual({});
});

describe("somebody who waits for a page", () => {
  test("takes it from who does not call yet, who then calls no more", async () => {
    const [first, second] = [await startLedgerProcess(redis, keys, "1"), await startLedgerProcess(redis, keys, "2")];
    const batch = await openBatch({});
    const key = keyOf(batch, 0);
    await first.claim(key, wish(batch, 0));
    expect(await second.claim(key, wish(batch, 0))).toEqual({ kind: "busy" });
    expect(await second.claim(key, wish(batch, 0, { isUrgent: true }))).toMatchObject({ kind: "claimed" });
    expect(await first.claim(key, wish(batch, 0, { isUrgent: true }))).toEqual({ kind: "busy" });
    expect(await first.markSent(key, batch)).toBe("lost");
    await first.release(key, null);
    expect(await second.markSent(key, batch)).toBe("go");
    expect(await first.claim(key, wish(batch, 0, { isUrgent: true }))).toEqual({ kind: "busy" });
    expect((await batches.counts(batch.name)).providers.huawei).toMatchObject({ calls: 1 });
  });
});

/** One process's life: for page after page, how its call ends; or it dies in it. */
const life = fc.array(fc.constantFrom<End | "died">("billed", "refused", "uncertain", "not sent", "died"), {
  maxLength: 8,
});

test("no interleaving of processes that die, of limits that are raised, goes over a limit; and every call is accounted for", async () => {
  const property = fc.asyncProperty(
    fc.scheduler(),
    fc.array(life, { minLength: 2, maxLength: 4 }),
    fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4 })),
    fc.boolean(),
    async (s, lives, [limit, raise], asAmount) => {
      const price = 30_000;
      const terms = (calls: number) =>
        asAmount ? { budget: calls * price + 1, prices: { huawei: price } } : { maxCalls: calls };
      const batch = await openBatch(terms(limit));
      let allowed = limit;
      const vendor = { calls: 0, billed: 0, mayBeBilled: 0, refused: 0 };

      const work = async (ends: readonly (End | "died")[], index: number) => {
        const process = await startLedgerProcess(redis, keys, `${batch.name}-${index}`);
        const step = <T>(what: () => Promise<T>) => s.schedule(Promise.resolve(), `process ${index}`).then(what);
        for (const [page, how] of ends.entries()) {
          const key = keyOf(batch, page);
          const claim = await step(() => process.claim(key, wish(batch, page)));
          if (claim.kind !== "claimed") continue;
          const departure = await step(() => process.markSent(key, batch));
          if (departure !== "go") {
            expect(departure).toBe("spent");
            await step(() => process.release(key, null));
            continue;
          }
          if (how !== "not sent") vendor.calls++;
          // From here on the vendor may bill it.
          vendor.mayBeBilled++;
          expect(vendor.billed + vendor.mayBeBilled).toBeLessThanOrEqual(allowed);
          if (how === "died") {
            await process.kill();
            return;
          }
          await step(async () => {
            if (how !== "uncertain") vendor.mayBeBilled--;
            if (how === "billed") vendor.billed++;
            if (how === "refused") vendor.refused++;
            await end(process, batch, page, how);
          });
        }
      };
      const raiseLater = async () => {
        await s.schedule(Promise.resolve(), "raise");
        allowed = limit + raise;
        await openBatch(terms(allowed), batch.name);
      };
      await s.waitFor(Promise.all([...lives.map(work), raiseLater()]));

      const { providers, money } = await batches.counts(batch.name);
      const { calls = 0, billableCalls = 0, uncertainCalls = 0 } = providers.huawei ?? {};
      expect({ calls, billableCalls }).toEqual({ calls: vendor.calls, billableCalls: vendor.billed });
      expect(uncertainCalls + money.underWay).toBe(vendor.mayBeBilled);
      expect(calls).toBe(billableCalls + uncertainCalls + money.underWay + vendor.refused);
    },
  );
  await fc.assert(property, { numRuns: 80 });
}, 60_000);
