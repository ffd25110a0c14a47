import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import { OUTCOMES } from "../../src/domain/reading.js";
import { type OutcomeRecord, streamOf } from "../../src/domain/record.js";
import type { OutcomeLog } from "../../src/domain/sink.js";
import { createRecorder, type Recorder } from "../../src/queue/recorder.js";
import { compact, finishCompaction } from "../../src/results/compact.js";
import { openNdjsonSink } from "../../src/results/ndjson-sink.js";
import { CAN_LIMIT_FILES, withFileSizeLimit } from "../helpers/file-size-limit.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";
import { tempFolder } from "../helpers/temp-folder.js";

const { redis, keys } = openTestRedis();

interface Place {
  readonly folder: string;
  readonly batch: string;
  readonly recorder: Recorder;
  readonly sink: OutcomeLog;
  record(...records: OutcomeRecord[]): Promise<void>;
  read(): { results: string[]; failures: string[] };
}

let places = 0;

/** A folder with a sink, and a recorder of its own that is the application's. */
async function openPlace(): Promise<Place> {
  const folder = tempFolder();
  const id = `compact-${++places}`;
  const recorder = createRecorder(redis, keys, id);
  const sink = await openNdjsonSink(folder, null);
  const linesOf = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => line !== "");
  return {
    folder,
    batch: id,
    recorder,
    sink,
    record: async (...records) => {
      const position = await sink.write(records);
      await recorder.commit(
        position,
        records.map((record) => ({ record, generation: "1" })),
      );
    },
    read: () => ({ results: linesOf("results.ndjson"), failures: linesOf("failures.ndjson") }),
  };
}

const text = (record: OutcomeRecord) => JSON.stringify(record);

describe("compact", () => {
  test("after any outcomes each request has one line, its last", async () => {
    const drawn = fc.array(fc.record({ name: fc.integer({ min: 0, max: 6 }), outcome: fc.constantFrom(...OUTCOMES) }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(drawn, fc.integer({ min: 1, max: 7 }), async (all, size) => {
        const { folder, batch, recorder, sink, record, read } = await openPlace();
        const records = all.map(({ name, outcome }, i) => recordOf(batch, name, outcome, { ref: String(i) }));
        for (let i = 0; i < records.length; i += size) await record(...records.slice(i, i + size));
        await sink.close();
        await compact(folder, recorder);
        const last = new Map(records.map((each) => [each.request, each]));
        const expected = records.filter((each) => last.get(each.request) === each);
        expect(read()).toEqual({
          results: expected.filter(({ outcome }) => streamOf(outcome) === "results").map(text),
          failures: expected.filter(({ outcome }) => streamOf(outcome) === "failures").map(text),
        });
        // And it can go on from there.
        const again = await openNdjsonSink(folder, await recorder.position());
        await again.close();
        expect(read().results.length + read().failures.length).toBe(expected.length);
        expect(await recorder.supersededCount()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("leaves files alone in which nothing is superseded, and a sink that recorded nothing", async () => {
    const { folder, batch, recorder, sink, record } = await openPlace();
    await compact(folder, recorder);
    await record(recordOf(batch, 1));
    await compact(folder, recorder);
    await sink.close();
    expect(readdirSync(folder).toSorted()).toEqual(["failures.ndjson", "results.ndjson"]);
    expect(await recorder.unfinishedCompaction()).toBeNull();
  });

  test("takes no line that was never committed", async () => {
    const { folder, batch, recorder, sink, record, read } = await openPlace();
    await record(recordOf(batch, 1, "review"), recordOf(batch, 2));
    await record(recordOf(batch, 1, "accepted"));
    await sink.write([recordOf(batch, 3)]);
    appendFileSync(join(folder, "results.ndjson"), '{"schema":1,"torn');
    await sink.close();
    await compact(folder, recorder);
    expect(read().results).toEqual([text(recordOf(batch, 2)), text(recordOf(batch, 1, "accepted"))]);
  });

  test("keeps lines that are none of ours", async () => {
    const { folder, batch, recorder, sink, read } = await openPlace();
    await sink.close();
    appendFileSync(join(folder, "results.ndjson"), "# by hand\nnull\n{}\n");
    const by = await openNdjsonSink(folder, { results: 18, failures: 0 });
    await recorder.commit(await by.write([recordOf(batch, 1, "review")]), [
      { record: recordOf(batch, 1, "review"), generation: "1" },
    ]);
    await recorder.commit(await by.write([recordOf(batch, 1)]), [{ record: recordOf(batch, 1), generation: "1" }]);
    await by.close();
    await compact(folder, recorder);
    expect(read().results).toEqual(["# by hand", "null", "{}", text(recordOf(batch, 1))]);
  });

  /** Each step that a compaction takes, in order; the process dies right before it. */
  test.each(["startDropping", "drop", "compacting", "compacted"] as const)(
    "a crash before %s loses nothing, and what it began is finished",
    async (step) => {
      const { folder, batch, recorder, sink, record, read } = await openPlace();
      await record(recordOf(batch, 1, "failed"), recordOf(batch, 2, "review"), recordOf(batch, 3));
      await record(recordOf(batch, 1), recordOf(batch, 2));
      await sink.close();
      const crash = new Error("crash");
      await expect(
        compact(folder, {
          ...recorder,
          [step]: async () => {
            throw crash;
          },
        }),
      ).rejects.toThrow(crash);

      // What the next start does.
      const unfinished = await recorder.unfinishedCompaction();
      if (unfinished !== null) await finishCompaction(folder, unfinished, recorder);
      const next = await openNdjsonSink(folder, await recorder.position());
      await next.close();
      await compact(folder, recorder);
      expect(read()).toEqual({
        results: [recordOf(batch, 3), recordOf(batch, 1), recordOf(batch, 2)].map(text),
        failures: [],
      });
    },
  );

  test("a crash between the two files is finished, too", async () => {
    const { folder, batch, recorder, sink, record, read } = await openPlace();
    await record(recordOf(batch, 1, "review"), recordOf(batch, 2, "failed"));
    await record(recordOf(batch, 1), recordOf(batch, 2, "rejected"));
    await sink.close();
    // A folder in the way makes the second rename fail.
    const failures = join(folder, "failures.ndjson");
    const crash = compact(folder, {
      ...recorder,
      compacting: async (position) => {
        await recorder.compacting(position);
        renameSync(failures, join(folder, "kept"));
        mkdirSync(failures);
      },
    });
    await expect(crash).rejects.toThrow();
    expect(readdirSync(folder).filter((name) => name.endsWith(".compact"))).toEqual([".failures.ndjson.compact"]);
    rmdirSync(failures);
    renameSync(join(folder, "kept"), failures);

    const unfinished = await recorder.unfinishedCompaction();
    expect(unfinished).not.toBeNull();
    if (unfinished !== null) await finishCompaction(folder, unfinished, recorder);
    expect(read()).toEqual({ results: [text(recordOf(batch, 1))], failures: [text(recordOf(batch, 2, "rejected"))] });
    expect(await recorder.unfinishedCompaction()).toBeNull();
  });

  test.skipIf(!CAN_LIMIT_FILES)("where there is no room for the copies, the files stay as they were", async () => {
    const { folder, batch, recorder, sink, record, read } = await openPlace();
    await record(...Array.from({ length: 20 }, (_, i) => recordOf(batch, i, "review")));
    await record(recordOf(batch, 1));
    await sink.close();
    const before = read();
    const error = await withFileSizeLimit(3000, () => compact(folder, recorder)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SinkError);
    expect(String(error)).toContain("EFBIG");
    expect(read()).toEqual(before);
    expect(readdirSync(folder).toSorted()).toEqual(["failures.ndjson", "results.ndjson"]);
    await compact(folder, recorder);
    expect(read().results).toHaveLength(20);
  });
});
