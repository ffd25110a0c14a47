import { expect, test } from "vitest";
import { UsageError } from "../../src/domain/errors.js";
import { dueTimes } from "../../src/schedule/cron.js";

const at = (text: string) => Date.parse(text);

/** The due times within two moments. */
function between(cron: string, tz: string, from: string, to: string): string[] {
  const times = dueTimes(cron, tz);
  const found: string[] = [];
  for (let ms = times.next(at(from)); ms !== null && ms < at(to); ms = times.next(ms)) {
    found.push(new Date(ms).toISOString().slice(5, 16));
  }
  return found;
}

test.each([
  [
    "a day without a change of the clock",
    "0 2 * * *",
    "Asia/Shanghai",
    "2026-11-22",
    "2026-11-24",
    ["11-22T18:00", "11-23T18:00"],
  ],
  [
    "the clock skips it: the first moment after",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00Z",
    "2026-03-31",
    ["03-29T01:00", "03-30T00:30"],
  ],
  [
    "the clock shows it twice: the first time",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-10-24T12:00Z",
    "2026-10-27",
    ["10-25T00:30", "10-26T01:30"],
  ],
  [
    "midnight is skipped",
    "0 0 * * *",
    "America/Havana",
    "2026-03-07T12:00Z",
    "2026-03-10",
    ["03-08T05:00", "03-09T04:00"],
  ],
  [
    "every hour goes on through a skipped one",
    "0 * * * *",
    "Europe/Berlin",
    "2026-03-28T23:30Z",
    "2026-03-29T03:00Z",
    ["03-29T00:00", "03-29T01:00", "03-29T02:00"],
  ],
  [
    "every half hour goes on through a doubled one",
    "*/30 * * * *",
    "Europe/Berlin",
    "2026-10-25T00:15Z",
    "2026-10-25T02:15Z",
    ["10-25T00:30", "10-25T01:00", "10-25T01:30", "10-25T02:00"],
  ],
  ["leap day", "0 0 29 2 *", "UTC", "2026-01-01", "2029-01-01", ["02-29T00:00"]],
])("%s", (_what, cron, tz, from, to, expected) => {
  expect(between(cron, tz, from, to)).toEqual(expected);
});

test.each(["Asia/Shanghai", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"])(
  "in %s the last due time is the one that came next before",
  (tz) => {
    const times = dueTimes("30 2 * * *", tz);
    let due = times.next(at("2026-02-01")) ?? 0;
    for (let day = 0; day < 80; day++) {
      const next = times.next(due) ?? 0;
      for (const ms of [due, due + 1, Math.floor((due + next) / 2), next - 1]) expect(times.last(ms)).toBe(due);
      due = next;
    }
  },
);

test.each([
  ["61 2 * * *", "UTC"],
  ["0 2 * *", "UTC"],
  ["0 2 * * * * 2026", "UTC"],
  ["tonight", "UTC"],
  ["", "UTC"],
  ["0 0 30 2 *", "UTC"],
  ["0 2 * * *", "Mars/Olympus"],
])("refuses %j in %s", (cron, tz) => {
  expect(() => dueTimes(cron, tz)).toThrow(UsageError);
});
