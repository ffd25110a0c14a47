import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_RETRY_AFTER_MS, parseRetryAfter } from "../../src/providers/retry-after.js";

const NOW = Date.UTC(2026, 10, 22, 8, 0, 0);
const http = (ms: number) => new Date(ms).toUTCString();

test.each<[header: string, ms: number | null]>([
  ["0", 0],
  ["5", 5000],
  [" 5 ", 5000],
  ["900", MAX_RETRY_AFTER_MS],
  ["99999999999999999999999", MAX_RETRY_AFTER_MS],
  [http(NOW + 7000), 7000],
  [http(NOW - 7000), 0],
  [http(NOW + 86_400_000), MAX_RETRY_AFTER_MS],
  ["Sunday, 22-Nov-26 08:00:09 GMT", 9000],
  ["Sun Nov 22 08:00:09 2026", 9000],
  ["", null],
  ["-5", null],
  ["1.5", null],
  ["5s", null],
  ["soon", null],
  ["soon 1", null],
  ["Mon 5", null],
  ["2026-11-22T08:00:09Z", null],
  ["Infinity", null],
])("Retry-After %j is %j ms", (header, ms) => {
  expect(parseRetryAfter({ "retry-after": header }, NOW)).toBe(ms);
});

test("a date counts from the reply's own Date, whatever the clock here says", () => {
  const headers = { "retry-after": http(NOW + 5000), date: http(NOW) };
  expect(parseRetryAfter(headers, NOW + 3_600_000)).toBe(5000);
});

test("any text gives null or 0 to 15 minutes", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.integer().map(String), fc.date({ noInvalidDate: true }).map(String)),
      (header) => {
        const ms = parseRetryAfter({ "retry-after": header, date: header }, NOW);
        return ms === null || (Number.isInteger(ms) && ms >= 0 && ms <= MAX_RETRY_AFTER_MS);
      },
    ),
  );
});
