import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBatch } from "../../src/app/reconcile.js";
import { answerKey } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { CallAccount } from "../../src/domain/ledger.js";
import { OUTCOMES } from "../../src/domain/reading.js";
import { createBatches } from "../../src/queue/batches.js";
import { createOutcomes } from "../../src/queue/outcomes.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { startLedgerProcess } from "../helpers/ledger-process.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const outcomes = createOutcomes(redis, keys, 1000);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
const PAGES = 4;

/** One step of the way of one page; a process may die before or after any of them. */
const step = fc.record({
  what: fc.constantFrom(
    "admit",
    "claim",
    "send",
    "answered",
    "refused",
    "timed out",
    "publish",
    "commit",
    "die",
    "reopen",
  ),
  page: fc.nat({ max: PAGES - 1 }),
  process: fc.nat({ max: 1 }),
  outcome: fc.constantFrom(...OUTCOMES),
  /** The reply was lost, and it is asked for once more. */
  twice: fc.boolean(),
});

let rounds = 0;

test("after any steps of processes that die, pages found and calls made are all accounted for", async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const name = `accounts-${rounds++}`;
    const settled = { name, destination: name, sources: [], providers: ["huawei"], thresholds: THRESHOLDS } as const;
    let batch: Batch = await batches.open({ ...settled, refresh: false });
    const sink = createRecorder(redis, keys, `sink-${name}`);
    const start = () => startLedgerProcess(redis, keys, name);
    const processes = [await start(), await start()];
    const sent = new Set<string>();
    const ends = { sent: 0, billed: 0, refused: 0, uncertain: 0 };
    let written = 0;

    for (const { what, page, process: index, outcome, twice } of steps) {
      const process = processes[index] ?? (await start());
      const imageKey = imageKeyOf(`${name} ${page}`);
      const key = answerKey(imageKey, 0, "huawei", "");
      const request = requestOf(name, page);
      const record = recordOf(name, page, outcome, { request, image: { key: imageKey, source: `${page}`, page: 0 } });
      const account = (more: Partial<CallAccount>): CallAccount => ({
        ...{ batch: name, provider: "huawei", answered: false, billable: false, uncertain: false, notSent: false },
        ...more,
      });
      const context = {
        request,
        provider: "huawei",
        batch: name,
        generation: batch.generation,
        refreshSinceMs: 0,
      } as const;
      const act = async (): Promise<unknown> => {
        switch (what) {
          case "admit":
            return batches.admit(batch, [{ request, imageKey, page: 0 }]);
          case "claim":
            return process.claim(key, { ...context, imageKey, page: 0, outcomeMayStand: true, isUrgent: false });
          case "send":
            return process.markSent(key, batch);
          case "answered":
            return process.store(key, Buffer.from("answer"), account({ answered: true, billable: true }));
          case "refused":
            return process.release(key, account({}));
          case "timed out":
            return process.release(key, account({ uncertain: true }));
          case "publish":
            return outcomes.publish(record, batch.destination, batch.generation);
          case "commit":
            return sink.commit({ results: written }, [{ record, generation: batch.generation }]);
          case "reopen":
            return batches.open({ ...settled, refresh: true });
          case "die":
            return process.kill();
        }
      };
      // Calls end only where one was sent, and once.
      const call = `${index} ${page}`;
      const isEnd = what === "answered" || what === "refused" || what === "timed out";
      if (isEnd && !sent.delete(call)) continue;
      if (what === "send" && sent.has(call)) continue;
      if (what === "commit") written += 10;
      let result = await act();
      if (twice && what !== "reopen" && what !== "die") result = (await act()) ?? result;
      if (what === "send" && result === "go") {
        sent.add(call);
        ends.sent++;
      }
      if (what === "reopen") batch = result as Batch;
      if (what === "die") {
        processes[index] = await start();
        for (let at = 0; at < PAGES; at++) sent.delete(`${index} ${at}`);
      }

      const counts = await batches.counts(name);
      const { calls = 0, billableCalls = 0, uncertainCalls = 0 } = counts.providers.huawei ?? {};
      expect(calls).toBe(ends.sent);
      expect(counts.money.underWay).toBeGreaterThanOrEqual(0);
      expect(billableCalls + uncertainCalls).toBeLessThanOrEqual(calls);
      expect(counts.stale).toBeGreaterThanOrEqual(0);
    }
    const counts = await batches.counts(name);
    const { differences, found } = await compareBatch({ redis, keys }, batch, counts, null, null);
    expect(differences["wrong-count"]).toBeUndefined();
    expect(found).toBe(counts.pending + Object.values(counts.outcomes).reduce((sum, value) => sum + value, 0));
  });
  await fc.assert(property, { numRuns: 30 });
}, 120_000);
