import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../src/domain/batch.js";
import { OUTCOMES, type Outcome } from "../../src/domain/reading.js";
import { type OutcomeStream, streamOf } from "../../src/domain/record.js";
import { createBatches } from "../../src/queue/batches.js";
import { imageField } from "../../src/queue/keys.js";
import { NO_GENERATION } from "../../src/queue/mark.js";
import { createRecorder, type Recorder, type WrittenOutcome } from "../../src/queue/recorder.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);
const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };

function openBatch(name: string, huawei = 0.9): Promise<Batch> {
  const thresholds = { ...THRESHOLDS, huawei };
  return batches.open({ name, destination: null, sources: [], providers: ["huawei"], thresholds, refresh: false });
}

const outcomeOf = (batch: Batch, name: string | number, outcome: Outcome = "accepted"): WrittenOutcome => ({
  record: recordOf(batch.name, name, outcome),
  generation: batch.generation,
});

describe("what is recorded", () => {
  test("goes from its queue with the same step, and alone", async () => {
    const queue = `${keys.prefix}:card-results:`;
    const batch = await openBatch("queued");
    await redis.lpush(`${queue}wait`, "one", "two");
    await redis.hset(`${queue}one`, "data", "{}");
    const outcome = { ...outcomeOf(batch, 1), job: { queue, id: "one" } };
    const recorder = createRecorder(redis, keys, "queued");
    for (let reply = 0; reply < 2; reply++) await recorder.commit({ results: 1 }, [outcome]);
    expect(await redis.lrange(`${queue}wait`, 0, -1)).toEqual(["two"]);
    expect(await redis.exists(`${queue}one`)).toBe(0);
    expect(await batches.counts("queued")).toMatchObject({ found: 1, outcomes: { accepted: 1 } });
  });

  test("makes a request found that nobody admitted", async () => {
    const recorder = createRecorder(redis, keys, "foreign");
    await recorder.commit(null, [outcomeOf(await openBatch("foreign"), 1, "failed")]);
    expect(await batches.counts("foreign")).toMatchObject({ found: 1, pending: 0, outcomes: { failed: 1 } });
  });

  test("of no present generation is stale, and does not count as done", async () => {
    const batch = await openBatch("taken over");
    const { record } = outcomeOf(batch, 1);
    await createRecorder(redis, keys, "old").commit(null, [{ record, generation: NO_GENERATION }]);
    expect(await batches.counts("taken over")).toMatchObject({ found: 1, pending: 0, stale: 1 });
    const page = { request: record.request, imageKey: record.image.key, page: 0 };
    expect(await batches.admit(batch, [page])).toEqual([true]);
  });

  test("with its position, its policy and a compaction under way belongs to the sink until it is forgotten", async () => {
    const recorder = createRecorder(redis, keys, "sink");
    expect([await recorder.position(), await recorder.policy(), await recorder.unfinishedCompaction()]).toEqual([
      null,
      null,
      null,
    ]);
    await recorder.commit({ results: 10, failures: 5 }, []);
    await recorder.commit(null, [outcomeOf(await openBatch("sink"), 1)]);
    await recorder.setPolicy("p");
    await recorder.compacting({ results: 8 });
    expect([await recorder.position(), await recorder.policy(), await recorder.unfinishedCompaction()]).toEqual([
      { results: 10, failures: 5 },
      "p",
      { results: 8 },
    ]);
    await recorder.compacted({ results: 8 });
    expect([await recorder.position(), await recorder.unfinishedCompaction()]).toEqual([{ results: 8 }, null]);
    await recorder.reset();
    expect([await recorder.position(), await recorder.policy()]).toEqual([null, null]);
  });
});

/** The files of a sink, as a list of lines; compacted as `results/compact` does. */
class Model {
  readonly lines: Record<OutcomeStream, { request: string; at: number }[]> = { results: [], failures: [] };
  readonly last = new Map<string, { outcome: Outcome; at: number; generation: string }>();
  at = 0;

  write(request: string, outcome: Outcome, generation: string) {
    this.lines[streamOf(outcome)].push({ request, at: ++this.at });
    this.last.set(request, { outcome, at: this.at, generation });
  }
}

async function compact(recorder: Recorder, model: Model): Promise<void> {
  await recorder.startDropping();
  for (const stream of ["results", "failures"] as const) {
    const lines = model.lines[stream];
    const half = Math.ceil(lines.length / 2);
    // In two pieces, as a large file is gone through.
    const requests = lines.map(({ request }) => request);
    const drops = [
      ...(await recorder.drop(stream, requests.slice(0, half))),
      ...(await recorder.drop(stream, requests.slice(half))),
    ];
    model.lines[stream] = lines.filter((_, i) => drops[i] !== true);
  }
  await recorder.compacted({ results: model.lines.results.length, failures: model.lines.failures.length });
}

type Step =
  | { readonly kind: "admit"; readonly names: number[] }
  | { readonly kind: "commit"; readonly outcomes: (readonly [name: number, outcome: Outcome])[] }
  | { readonly kind: "reopen" }
  | { readonly kind: "compact" };

const names = fc.integer({ min: 0, max: 6 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("admit" as const), names: fc.array(names, { maxLength: 6 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      outcomes: fc.array(fc.tuple(names, fc.constantFrom(...OUTCOMES)), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "compact" as const }) },
);

let runs = 0;
test("after any sequence of commits: found = outcomes + pending, stale are those of before, one line a request", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 20 }), async (sequence) => {
      const name = `model-${runs++}`;
      const recorder = createRecorder(redis, keys, name);
      const model = new Model();
      const found = new Set<string>();
      let policy = 0;
      let batch = await openBatch(name, policy);
      for (const step of sequence) {
        switch (step.kind) {
          case "admit": {
            const pages = step.names.map((id) => ({ request: requestOf(name, id), imageKey: imageKeyOf(id), page: 0 }));
            const due = await batches.admit(batch, pages);
            const isDone = ({ request }: (typeof pages)[0]) => model.last.get(request)?.generation === batch.generation;
            expect(due).toEqual(pages.map((page) => !isDone(page)));
            for (const { request } of pages) found.add(request);
            break;
          }
          case "commit": {
            const outcomes = step.outcomes.map(([id, outcome]) => outcomeOf(batch, id, outcome));
            for (const { record, generation } of outcomes) {
              found.add(record.request);
              model.write(record.request, record.outcome, generation);
            }
            await recorder.commit({ results: model.at }, outcomes);
            break;
          }
          case "reopen":
            batch = await openBatch(name, ++policy / 1000);
            break;
          case "compact":
            await compact(recorder, model);
        }
        const counts = await batches.counts(name);
        const ended = [...model.last.values()];
        expect(counts).toMatchObject({
          found: found.size,
          pending: found.size - ended.length,
          stale: ended.filter(({ generation }) => generation !== batch.generation).length,
        });
        for (const outcome of OUTCOMES) {
          expect(counts.outcomes[outcome]).toBe(ended.filter((last) => last.outcome === outcome).length);
        }
      }
      await compact(recorder, model);
      const left = [...model.lines.results, ...model.lines.failures];
      const expected = [...model.last].map(([request, { at }]) => ({ request, at }));
      expect(left.sort((a, b) => a.at - b.at)).toEqual(expected.sort((a, b) => a.at - b.at));
      expect(await recorder.supersededCount()).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test("the marks of an image cost at most 120 bytes in Redis", async () => {
  const IMAGES = 20_000;
  const CHUNK = 500;
  const batch = await openBatch("memory");
  const recorder = createRecorder(redis, keys, "memory");
  for (let from = 0; from < IMAGES; from += CHUNK) {
    const ids = Array.from({ length: CHUNK }, (_, i) => `m${from + i}`);
    const pages = ids.map((id) => ({ request: requestOf("memory", id), imageKey: imageKeyOf(id), page: 0 }));
    await batches.admit(batch, pages);
    await recorder.commit(
      { results: from + 1 },
      ids.map((id) => outcomeOf(batch, id)),
    );
  }
  const usage = redis.pipeline();
  for (const key of keys.marks("memory")) usage.memory("USAGE", key);
  const sizes = (await usage.exec()) ?? [];
  const bytes = sizes.reduce((sum, [, size]) => sum + Number(size ?? 0), 0) / IMAGES;
  console.info(`ledger without answers: ${bytes.toFixed(1)} B an image at ${IMAGES} images`);
  const field = imageField(imageKeyOf("m1"), 0);
  expect(await redis.object("ENCODING", keys.images("memory", field))).toMatch(/^(listpack|ziplist)$/);
  expect(bytes).toBeLessThanOrEqual(120);
});
