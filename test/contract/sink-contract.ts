import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { recordOf } from "../helpers/records.js";

/** A sink as it is opened after a start. */
export interface OpenedSink {
  write(records: readonly OutcomeRecord[]): Promise<void>;
  /** What was written so far is known to be. */
  commit(): Promise<void>;
  close(): Promise<void>;
}

/** A place that a sink writes to. */
export interface SinkPlace {
  open(): Promise<OpenedSink>;
  /** Every outcome that somebody who reads the place finds there. */
  read(): Promise<readonly OutcomeRecord[]>;
  /** Makes writing fail while `act` runs. Left out where nothing can. */
  readonly whileDown?: (act: () => Promise<void>) => Promise<void>;
}

const good = (name: number, more: Partial<OutcomeRecord> = {}) =>
  recordOf("b", name, name % 2 === 0 ? "accepted" : "review", more);
const bad = (name: number) =>
  recordOf("b", name, name % 2 === 0 ? "failed" : "rejected", { message: "m".repeat(2000) });
const at = (second: number) => ({ finishedAt: new Date(Date.UTC(2026, 10, 22, 8, 0, second)).toISOString() });

/** In the order of their requests: a place may have another order than the one they came in. */
function sorted(records: readonly OutcomeRecord[]): readonly OutcomeRecord[] {
  return records.toSorted((a, b) => a.request.localeCompare(b.request));
}

/** What counts of all that is found: of a request the outcome finished last. */
function lastOnes(records: readonly OutcomeRecord[]): readonly OutcomeRecord[] {
  const inOrder = records.toSorted((a, b) => a.finishedAt.localeCompare(b.finishedAt));
  return sorted([...new Map(inOrder.map((record) => [record.request, record])).values()]);
}

/** What every sink does. */
export function describeSink(title: string, makePlace: () => Promise<SinkPlace>): void {
  describe(`contract of a sink: ${title}`, () => {
    test("holds every outcome once and whole, of all that was written, now or after a start", async () => {
      const { open, read } = await makePlace();
      const sink = await open();
      await sink.write([good(1), bad(2), good(3)]);
      await sink.commit();
      await sink.write([]);
      await sink.commit();
      await sink.close();
      const again = await open();
      await again.write([bad(4)]);
      await again.commit();
      await again.close();
      expect(sorted(await read())).toEqual(sorted([good(1), bad(2), good(3), bad(4)]));
    });

    test("has nothing missing and nothing double after its process died with a write that nobody knew of", async () => {
      const { open, read } = await makePlace();
      const sink = await open();
      await sink.write([good(1), bad(2)]);
      await sink.commit();
      await sink.write([good(3), bad(4)]);
      await sink.close();
      const again = await open();
      await again.write([good(3), bad(4), good(5)]);
      await again.commit();
      await again.close();
      expect(sorted(await read())).toEqual(sorted([good(1), bad(2), good(3), bad(4), good(5)]));
    });

    test("of several outcomes of a request the last stands, wherever the others went", async () => {
      const { open, read } = await makePlace();
      const sink = await open();
      await sink.write([{ ...bad(2), ...at(1) }, good(4, at(1))]);
      await sink.commit();
      await sink.write([good(2, at(2))]);
      await sink.commit();
      await sink.write([good(4, { ...at(3), ref: "corrected" })]);
      await sink.commit();
      await sink.close();
      expect(lastOnes(await read())).toEqual(sorted([good(2, at(2)), good(4, { ...at(3), ref: "corrected" })]));
    });

    test("takes text of every script, and thousands at a time", async () => {
      const { open, read } = await makePlace();
      const sink = await open();
      const all = Array.from({ length: 3000 }, (_, i) => good(i, { ref: `卡\u2028"\n\\ ${i} 😀` }));
      for (let i = 0; i < all.length; i += 1000) {
        await sink.write(all.slice(i, i + 1000));
        await sink.commit();
      }
      await sink.close();
      expect(sorted(await read())).toEqual(sorted(all));
    });

    test("takes text that no store likes", async () => {
      const { open, read } = await makePlace();
      const sink = await open();
      await sink.write([good(1, { ref: "zero \0" }), good(2, { ref: "half \ud83d of a pair" })]);
      await sink.commit();
      await sink.close();
      expect((await read()).map(({ request }) => request).toSorted()).toEqual(
        [good(1).request, good(2).request].toSorted(),
      );
    });

    test("nothing of a failed write counts, and it can be made again", async ({ skip }) => {
      const { open, read, whileDown } = await makePlace();
      if (whileDown === undefined) return skip("nothing makes it fail here");
      const sink = await open();
      await sink.write([good(1), bad(2)]);
      await sink.commit();
      const more = Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? bad(10 + i) : good(10 + i)));
      await whileDown(async () => {
        for (let tries = 0; tries < 3; tries++) {
          const error = await sink.write(more).catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(SinkError);
          expect(error).toMatchObject({ code: "sink-unavailable", disposition: "retry" });
        }
      });
      expect(sorted(await read())).toEqual(sorted([good(1), bad(2)]));
      await sink.write(more);
      await sink.commit();
      await sink.close();
      expect(sorted(await read())).toEqual(sorted([good(1), bad(2), ...more]));
    });
  });
}
