import fc from "fast-check";
import { expect, test } from "vitest";
import { answerKey } from "../../src/domain/answer.js";
import { createBatches } from "../../src/queue/batches.js";
import { createLedger } from "../../src/queue/ledger.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
const SETTLED = { destination: null, sources: [], providers: ["huawei"], thresholds: THRESHOLDS } as const;
const LONG_MS = 60_000;

/** What becomes of each call that a process makes: it is answered, it fails, it never goes out, or the process dies in it. */
const ends = fc.constantFrom("answered", "failed", "not sent", "died" as const);
type End = "answered" | "failed" | "not sent" | "died";

let rounds = 0;

test("processes that race for one page: one call at a time, none after an answer, and every call accounted for", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.array(ends, { maxLength: 4 }), { minLength: 2, maxLength: 4 }),
      async (s, processes) => {
        const name = `race-${rounds++}`;
        const batch = await batches.open({ name, refresh: false, ...SETTLED });
        const imageKey = imageKeyOf(name);
        const key = answerKey(imageKey, 0, "huawei", "");
        const vendor = { calling: 0, calls: 0, answered: 0, died: 0 };

        const work = async (life: readonly End[], index: number) => {
          const presence = `${name}-${index}`;
          await redis.set(keys.owner(presence), "1", "PX", LONG_MS);
          const ledger = createLedger(redis, keys, { presence, retentionMs: LONG_MS });
          const step = <T>(what: () => Promise<T>) => s.schedule(Promise.resolve(), `process ${index}`).then(what);
          const account = { batch: name, provider: "huawei", billable: false, uncertain: false } as const;
          const context = {
            request: requestOf(name, index),
            provider: "huawei",
            batch: name,
            generation: batch.generation,
            refreshSinceMs: 0,
            imageKey,
            page: 0,
            outcomeMayStand: true,
            isUrgent: false,
          } as const;
          for (const end of life) {
            const claim = await step(() => ledger.claim(key, context));
            if (claim.kind === "answered") expect(vendor.answered).toBe(1);
            if (claim.kind !== "claimed") continue;
            expect(vendor.answered).toBe(0);
            const pace = keys.pace("huawei", "race");
            const { held } = claim;
            const departure = await step(() =>
              ledger.markSent(held, { batch, provider: "huawei", pace, slot: null }, LONG_MS),
            );
            expect(departure.kind).toBe("go");
            expect(++vendor.calling).toBe(1);
            if (end !== "not sent") vendor.calls++;
            await step(async () => vendor.calling--);
            switch (end) {
              case "answered":
                vendor.answered++;
                await step(() =>
                  ledger.store(held, Buffer.from("answer"), { ...account, answered: true, notSent: false }, 0),
                );
                break;
              case "died":
                vendor.died++;
                await redis.del(keys.owner(presence));
                return;
              default:
                await step(() => ledger.release(held, { ...account, answered: false, notSent: end === "not sent" }));
            }
          }
        };
        // The last process finds what the others left, and brings it to its end.
        await s.waitFor(Promise.all(processes.map(work)));
        const last = work(["answered"], processes.length);
        await s.waitFor(last);

        expect(vendor.answered).toBe(1);
        const { providers } = await batches.counts(name);
        expect(providers.huawei).toEqual({ calls: vendor.calls, billableCalls: 0, uncertainCalls: vendor.died });
      },
    ),
    { numRuns: 60 },
  );
});
