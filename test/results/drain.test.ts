import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { createDrain, type DrainDeps, type DrainedOutcome } from "../../src/results/drain.js";
import { recordOf } from "../helpers/records.js";

const outcome = (name: number): DrainedOutcome => ({ record: recordOf("b", name) });
const full = () => new SinkError("sink-unavailable", "no room");

/** A sink in memory that fails when told to, and what a recorder would know. */
function setUp(more: Partial<DrainDeps<DrainedOutcome>> = {}) {
  const lines: OutcomeRecord[] = [];
  const groups: number[] = [];
  const committed: string[] = [];
  const events: CardbatchEvent[] = [];
  /** What is to go wrong at the next tries, first to last. */
  const faults = { write: [] as Error[], commit: [] as Error[] };
  const fail = (errors: Error[]) => {
    const error = errors.shift();
    if (error !== undefined) throw error;
  };
  const deps: DrainDeps<DrainedOutcome> = {
    log: {
      name: "memory",
      write: async (records) => {
        await new Promise((later) => setImmediate(later));
        fail(faults.write);
        lines.push(...records);
        groups.push(records.length);
        return { lines: lines.length };
      },
      close: async () => {},
    },
    commit: async (position, outcomes) => {
      fail(faults.commit);
      expect(position).toEqual({ lines: lines.length });
      committed.push(...outcomes.map(({ record }) => record.request));
    },
    emit: (event) => void events.push(event),
    sleep: async (_, signal) => signal.throwIfAborted(),
    ...more,
  };
  return { drain: createDrain(deps), lines, groups, committed, events, faults };
}

const ids = (lines: readonly OutcomeRecord[]) => lines.map(({ request }) => request);

describe("createDrain", () => {
  test("shares a write among a group, and writes one group after the other", async () => {
    const { drain, groups, committed } = setUp();
    const group = (from: number) => Array.from({ length: 50 }, (_, i) => outcome(from + i));
    await Promise.all([drain.record(group(0)), drain.record(group(50))]);
    expect(groups).toEqual([50, 50]);
    expect(committed).toHaveLength(100);
    expect(drain.recorded()).toBe(100);
  });

  test("resolves only when the outcomes are recorded", async () => {
    const { drain, committed, events } = setUp();
    await drain.record([outcome(1), outcome(2)]);
    expect(committed).toEqual([1, 2].map((name) => outcome(name).record.request));
    expect(events).toEqual([{ type: "recorded", sink: "memory", count: 2 }]);
  });

  test.each(["write", "commit"] as const)(
    "a %s that fails is tried until it works, and writes each line once",
    async (step) => {
      const { drain, lines, committed, faults, events } = setUp();
      faults[step].push(full(), full(), new TypeError("a fault of ours"));
      await drain.record([outcome(1), outcome(2)]);
      await drain.record([outcome(3)]);
      expect(ids(lines)).toEqual([1, 2, 3].map((name) => outcome(name).record.request));
      expect(committed).toEqual(ids(lines));
      const codes = events.flatMap((event) => (event.type === "sink-failed" ? [event.error.code] : []));
      expect(codes).toEqual(["sink-unavailable", "sink-unavailable", "internal"]);
      expect(drain.recorded()).toBe(3);
    },
  );

  test("is closed only when all that it was given is recorded", async () => {
    const { drain, committed } = setUp();
    const recording = Array.from({ length: 10 }, (_, i) => drain.record([outcome(i)]));
    await drain.close();
    expect(committed).toHaveLength(10);
    await Promise.all(recording);
    await drain.close();
  });

  test.each(["write", "commit"] as const)(
    "once closed it gives up on a %s that fails, and on all after it",
    async (step) => {
      const { drain, committed, faults } = setUp();
      faults[step].push(full(), full());
      const recording = [drain.record([outcome(1)])];
      const closing = drain.close();
      recording.push(drain.record([outcome(2)]));
      await closing;
      const late = drain.record([outcome(3)]);
      const results = await Promise.allSettled([...recording, late]);
      // Lines of the first may stand in the sink uncommitted: nothing may be committed behind them.
      expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(committed).toEqual([]);
      expect(drain.recorded()).toBe(0);
    },
  );

  test("a close in the middle of a wait does not wait to its end", async () => {
    let waiting: (() => void) | undefined;
    const isWaiting = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const { drain, faults } = setUp({
      sleep: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          waiting?.();
        }),
    });
    faults.write.push(full(), full());
    const recording = drain.record([outcome(1)]);
    recording.catch(() => {});
    await isWaiting;
    await drain.close();
    await expect(recording).rejects.toThrow("no room");
  });
});
