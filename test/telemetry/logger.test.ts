import { describe, expect, test } from "vitest";
import { CardbatchError, ProviderError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { createLogger, logEvent } from "../../src/telemetry/logger.js";
import { scrubLine } from "../../src/vault/scrub.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { recordOf } from "../helpers/records.js";

const CARD = cardNumber();

function open(level = "trace", pretty = false) {
  const lines: string[] = [];
  let scrubbed = 0;
  const logger = createLogger({
    level,
    pretty,
    color: false,
    write: (line) => void lines.push(line),
    scrub: scrubLine,
    onScrubbed: (hits) => {
      scrubbed += hits;
    },
  });
  return { logger, lines, entries: () => lines.map((line) => JSON.parse(line)), scrubbed: () => scrubbed };
}

describe("a line", () => {
  test("loses its card numbers, wherever they stand, and stays JSON", () => {
    const { logger, entries, lines, scrubbed } = open();
    logger.info({ note: `card ${CARD}`, [`key ${CARD}`]: 1, deep: { number: Number(CARD) } }, `read ${CARD}`);
    expect(lines.join("")).not.toContain(CARD);
    expect(entries()).toHaveLength(1);
    expect(scrubbed()).toBe(4);
  });

  test("is readable where a person reads it, and scrubbed as well", () => {
    const { logger, lines } = open("info", true);
    logger.info({ note: CARD }, "hello");
    expect(lines.join("")).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: hello\n/);
    expect(lines.join("")).not.toContain(CARD);
  });

  test("below the level is not written", () => {
    const { logger, lines } = open("warn");
    logger.info("not of interest");
    expect(lines).toEqual([]);
  });
});

describe("an error in a line", () => {
  const logged = (error: unknown) => {
    const { logger, entries } = open();
    logger.error({ err: error }, "failed");
    return entries()[0].err;
  };

  test("of the catalogue has its class, code, message and what is safe besides", () => {
    const cause = new TypeError("the cause");
    const error = new CardbatchError("internal", "it failed", { cause, details: { status: 7, type: "x", code: "y" } });
    expect(logged(error)).toEqual({
      status: 7,
      type: "CardbatchError",
      code: "internal",
      message: "it failed",
      cause: { type: "TypeError", message: "the cause", stack: expect.any(String) },
    });
  });

  test("of a provider says what its support asks for", () => {
    const facts = { vendorCode: "AIS.0103", httpStatus: 400, requestId: "h-1" };
    expect(logged(new ProviderError("provider-refused", "no", facts))).toMatchObject(facts);
  });

  test("that nobody expected has its stack, without card numbers", () => {
    const error = logged(new Error(`cannot read ${CARD}`));
    expect(error).toMatchObject({ type: "Error", message: expect.any(String), stack: expect.any(String) });
    expect(JSON.stringify(error)).not.toContain(CARD);
  });

  test.each([["a string"], [null], [undefined], [42]])("that is %j is only named", (thrown) => {
    expect(JSON.stringify(logged(thrown) ?? null)).not.toContain("a string");
  });
});

describe("an event", () => {
  const record = recordOf("b", 1, "review", { ref: "mine", reasons: ["luhn"], calls: 2 });
  const error = new ProviderError("provider-quota", "used up");
  const EVENTS: readonly (readonly [CardbatchEvent, string, object])[] = [
    [{ type: "provider-stopped", provider: "huawei", error }, "error", { provider: "huawei" }],
    [
      { type: "sink-failed", sink: "ndjson", error: new CardbatchError("sink-unavailable", "x") },
      "error",
      { sink: "ndjson" },
    ],
    [{ type: "fault", where: "redis", error: new Error("gone") }, "warn", { where: "redis" }],
    [
      { type: "pace-changed", provider: "huawei", change: { kind: "lowered", rate: 4, heldMs: 1000 } },
      "debug",
      { provider: "huawei", rate: 4, heldMs: 1000 },
    ],
    [
      {
        type: "pace-changed",
        provider: "huawei",
        change: { kind: "breaker-opened", code: "provider-timeout", heldMs: 1000 },
      },
      "warn",
      { code: "provider-timeout", heldMs: 1000 },
    ],
    [
      { type: "pace-changed", provider: "huawei", change: { kind: "breaker-closed", afterMs: 7 } },
      "info",
      { afterMs: 7 },
    ],
    [{ type: "put-back", request: "r", code: "image-in-work", delayMs: 3, attempts: 1 }, "debug", { delayMs: 3 }],
    [{ type: "finished", record, durationMs: 1.5 }, "debug", { outcome: "review", reasons: ["luhn"], durationMs: 2 }],
    [{ type: "turn-taken", provider: "huawei", waitedMs: 1.23456789 }, "trace", { waitedMs: 1 }],
    [{ type: "job-started", waitedMs: 1.23456789 }, "trace", { waitedMs: 1 }],
    [{ type: "enqueued", count: 3 }, "trace", { count: 3 }],
    [{ type: "recorded", sink: "ndjson", count: 3 }, "trace", { count: 3 }],
  ];
  const LEVELS: Readonly<Record<number, string>> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error" };

  test.each(EVENTS)("$type is told where it belongs", (event, level, facts) => {
    const { logger, entries } = open();
    logEvent(logger, event);
    const [entry] = entries();
    expect(LEVELS[entry.level]).toBe(level);
    expect(entry).toMatchObject(facts);
  });

  test("says what to do about a stop, and nothing of an image but its request", () => {
    const { logger, lines } = open();
    logEvent(logger, { type: "provider-stopped", provider: "huawei", error });
    expect(lines[0]).toContain(error.hint);
    logEvent(logger, { type: "finished", record, durationMs: 1 });
    expect(lines[1]).toContain(record.request);
    for (const secret of [record.image.source, String(record.image.key), "mine"])
      expect(lines[1]).not.toContain(secret);
  });
});
