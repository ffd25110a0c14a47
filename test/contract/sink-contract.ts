import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import type { ResultSink, SinkPosition } from "../../src/domain/sink.js";
import { recordOf } from "../helpers/records.js";

/** A place that a sink writes to. */
export interface SinkPlace {
  /** Opens the sink as it is opened after a start: back to what was committed. */
  open(committed: SinkPosition | null): Promise<ResultSink>;
  /** What somebody who reads the place finds there, in the order written; failed and rejected apart from the others. */
  read(): { readonly results: readonly OutcomeRecord[]; readonly failures: readonly OutcomeRecord[] };
  /** Makes writing fail somewhere in the middle of the next outcomes while `act` runs. Left out where nothing can. */
  readonly whileFull?: (act: () => Promise<void>) => Promise<void>;
}

const good = (name: number) => recordOf("b", name, name % 2 === 0 ? "accepted" : "review");
const bad = (name: number) =>
  recordOf("b", name, name % 2 === 0 ? "failed" : "rejected", { message: "m".repeat(2000) });

/** What every sink does. */
export function describeSink(title: string, makePlace: () => SinkPlace): void {
  describe(`contract of a sink: ${title}`, () => {
    test("writes results and failures apart, in the order given, and says how far it is", async () => {
      const { open, read } = makePlace();
      const sink = await open(null);
      const positions = [
        await sink.write([good(1), bad(2), good(3)]),
        await sink.write([]),
        await sink.write([bad(4)]),
      ];
      await sink.close();
      expect(read()).toEqual({ results: [good(1), good(3)], failures: [bad(2), bad(4)] });
      expect(positions[1]).toEqual(positions[0]);
      expect(positions[2]).not.toEqual(positions[1]);
    });

    test("goes back to what was committed, and on from there", async () => {
      const { open, read } = makePlace();
      const sink = await open(null);
      const committed = await sink.write([good(1), bad(2)]);
      await sink.write([good(3), bad(4)]);
      await sink.close();
      const again = await open(committed);
      expect(read()).toEqual({ results: [good(1)], failures: [bad(2)] });
      const position = await again.write([good(5)]);
      await again.close();
      expect(read()).toEqual({ results: [good(1), good(5)], failures: [bad(2)] });
      await (await open(position)).close();
      expect(read().results).toHaveLength(2);
      await (await open(null)).close();
      expect(read()).toEqual({ results: [], failures: [] });
    });

    test("takes text of every script and thousands at a time", async () => {
      const { open, read } = makePlace();
      const sink = await open(null);
      const all = Array.from({ length: 3000 }, (_, i) =>
        recordOf("b", i, "accepted", { ref: `卡\u2028"\n\\ ${i} 😀` }),
      );
      await sink.write(all);
      await sink.close();
      expect(read().results).toEqual(all);
    });

    test("nothing of a failed write counts, and it can be made again", async ({ skip }) => {
      const { open, read, whileFull } = makePlace();
      if (whileFull === undefined) return skip();
      const sink = await open(null);
      const committed = await sink.write([good(1), bad(2)]);
      const more = Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? bad(10 + i) : good(10 + i)));
      await whileFull(async () => {
        for (let tries = 0; tries < 3; tries++) {
          const error = await sink.write(more).catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(SinkError);
          expect(error).toMatchObject({ code: "sink-unavailable", disposition: "retry" });
        }
      });
      expect(read()).toEqual({ results: [good(1)], failures: [bad(2)] });
      expect(await sink.write([])).toEqual(committed);
      await sink.write(more);
      await sink.close();
      const results = more.filter(({ outcome }) => outcome === "accepted" || outcome === "review");
      expect(read().results).toEqual([good(1), ...results]);
      expect(read().failures).toHaveLength(1 + more.length - results.length);
    });
  });
}
