import { describe, expect, test } from "vitest";
import type { RunProgress } from "../../src/app/watch-run.js";
import { createProgress } from "../../src/cli/progress.js";
import type { BatchCounts } from "../../src/domain/batch.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { called } from "../helpers/called.js";
import { NO_MONEY } from "../helpers/money.js";
import { fakeTerminal } from "./fake-terminal.js";

function progressOf(
  found: number,
  done: number,
  more: Partial<BatchCounts> = {},
  allowedRate: number | null = 5,
): RunProgress {
  return {
    counts: {
      found,
      outcomes: { accepted: done, review: 0, rejected: 0, failed: 0, duplicate: 0 },
      pending: found - done,
      stale: 0,
      providers: {},
      money: NO_MONEY,
      fed: true,
      halt: null,
      ...more,
    },
    feed: { listed: found, enqueued: found, ignored: 0, opened: 0, unchanged: 0, waiting: false },
    allowedRate,
    closedUntilMs: null,
    window: null,
  };
}

const putBack = (code: "provider-connection" | "image-in-work"): CardbatchEvent => ({
  type: "put-back",
  request: "r_1",
  code,
  delayMs: 100,
  attempts: 2,
});

/** A run on a terminal whose clock is moved by hand. */
function setUp(look: Parameters<typeof fakeTerminal>[0] = { columns: 200 }) {
  const fake = fakeTerminal(look);
  let nowMs = 1_000_000;
  const progress = createProgress(fake.terminal, () => nowMs);
  return {
    ...fake,
    ...progress,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** The live line after some seconds, each with so many calls and pages done. */
    run: (seconds: number, perSecond: { calls: number; pages: number }, found: number, from = 0, more = {}) => {
      let done = from;
      for (let i = 0; i <= seconds; i++) {
        progress.show(progressOf(found, Math.floor(done), more));
        if (i === seconds) break;
        nowMs += 1000;
        for (let c = 0; c < perSecond.calls; c++) progress.observe(called());
        done += perSecond.pages;
      }
      return fake.screen().at(-1);
    },
  };
}

describe("the progress line", () => {
  test("tells how far, what came of it, and how fast", () => {
    const { show, screen } = setUp();
    show(
      progressOf(2000, 1234, {
        outcomes: { accepted: 1000, review: 200, rejected: 30, failed: 4, duplicate: 0 },
        fed: false,
      }),
    );
    expect(screen()).toEqual([
      "1,234/2,000+ · 1,000 accepted · 200 review · 30 rejected · 4 failed · 0.0 of 5 calls/s · listing",
    ]);
  });

  test("what has to be judged anew is not done", () => {
    const { show, screen } = setUp();
    show(progressOf(100, 100, { stale: 40 }));
    expect(screen()[0]).toMatch(/^60\/100 /);
  });

  test.each<[string, number, { calls: number; pages: number }, string]>([
    ["as fast as allowed", 10, { calls: 5, pages: 5 }, "5.0 of 5 calls/s · about 2 min 0 s left"],
    ["a vendor that throttles", 10, { calls: 1, pages: 1 }, "1.0 of 5 calls/s · about 10 min 0 s left"],
    ["retries", 10, { calls: 5, pages: 2 }, "5.0 of 5 calls/s · about 5 min 0 s left"],
    ["answers that are there already", 10, { calls: 0, pages: 60 }, "0.0 of 5 calls/s · about 10 s left"],
    ["nothing moves", 70, { calls: 0, pages: 0 }, "0.0 of 5 calls/s"],
    [
      "nothing measured yet, so at the allowed rate",
      1,
      { calls: 5, pages: 5 },
      "5.0 of 5 calls/s · about 2 min 0 s left",
    ],
  ])("how long still: %s", (_, seconds, perSecond, expected) => {
    const { run } = setUp();
    const left = 600;
    const line = run(seconds, perSecond, left + seconds * perSecond.pages);
    expect(
      line
        ?.split(" accepted · ")
        .at(-1)
        ?.replace(/^.*?(?=\d+\.\d of)/, ""),
    ).toBe(expected);
  });

  test("an estimate follows what changes, and is not thrown off by where a resumed run began", () => {
    const { run } = setUp();
    expect(run(10, { calls: 5, pages: 5 }, 10_050, 9000)).toContain("about 3 min 20 s left");
    expect(run(60, { calls: 1, pages: 1 }, 10_050, 9050)).toContain("about 15 min 40 s left");
  });

  test("nothing is estimated before all is listed, while it is paused, nor when all is done", () => {
    const { show, pass, screen } = setUp();
    for (const progress of [
      progressOf(100, 50, { fed: false }),
      progressOf(100, 50, { halt: "paused" }),
      progressOf(100, 100),
    ]) {
      show(progress);
      pass(5000);
      show(progress);
      expect(screen().at(-1)).not.toContain("left");
    }
  });

  test("one without a limit has none to show", () => {
    const { show, screen } = setUp();
    show(progressOf(10, 5, {}, null));
    expect(screen()[0]).toBe("5/10 · 5 accepted · 0.0 calls/s");
  });

  test("says that a vendor asked for a pause, for as long as that is", () => {
    const { observe, show, pass, screen } = setUp();
    observe({ type: "pace-changed", provider: "huawei", change: { kind: "lowered", rate: 5, heldMs: 30_000 } });
    show(progressOf(10, 5));
    expect(screen()[0]).toContain("huawei asked for a pause of 30 s");
    pass(30_001);
    show(progressOf(10, 5));
    expect(screen()[0]).not.toContain("pause");
  });

  test("says that nobody answers, until somebody does", () => {
    const { observe, show, pass, screen } = setUp();
    observe(putBack("provider-connection"));
    show(progressOf(10, 5));
    expect(screen()[0]).not.toContain("trying again");
    pass(12_000);
    observe(called({ result: "provider-connection" }));
    show(progressOf(10, 5));
    expect(screen()[0]).toContain("provider-connection for 12 s, trying again");
    observe(called({ result: "no-card" }));
    show(progressOf(10, 5));
    expect(screen()[0]).not.toContain("trying again");
    pass(12_000);
    observe(putBack("image-in-work"));
    show(progressOf(10, 5));
    expect(screen()[0]).not.toContain("trying again");
  });

  test.each([10, 20, 40, 79])("never reaches the last of %i columns", (columns) => {
    const { show, screen, written } = setUp({ columns });
    for (let done = 0; done < 3; done++) show(progressOf(1_234_567, done, { fed: false }));
    expect(screen()).toHaveLength(1);
    expect(screen()[0]?.length).toBeLessThan(columns);
    expect(written()).not.toContain("\n");
  });

  test("is gone at the end", () => {
    const { show, done, screen } = setUp();
    show(progressOf(10, 5));
    done();
    expect(screen()).toEqual([""]);
  });

  test("is a plain line every five seconds where there is no terminal", () => {
    const { show, pass, written, done } = setUp({ isTTY: false });
    for (let i = 0; i < 60; i++) {
      pass(200);
      show(progressOf(100, i));
    }
    done();
    const lines = written().trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe("24/100, 24 accepted, 0.0 of 5 calls/s, about 15 s left");
    expect(written()).not.toContain("\u001b");
  });
});
