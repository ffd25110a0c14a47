import { describe, expect, test } from "vitest";
import { type CallWindow, isOpen, opensAt, parseWindow, windowText } from "../../src/domain/window.js";

const at = (text: string) => Date.parse(text);
function window(text: string, tz: string): CallWindow {
  const parsed = parseWindow(text, tz);
  if (parsed === null) throw new Error(`${text} ${tz} is no window`);
  return parsed;
}
const NIGHT = window("22:00-06:00", "Asia/Shanghai");
const DAY = window("9:30-17:00", "Europe/Berlin");

test.each(["", "22:00", "22-06", "24:00-06:00", "22:60-06:00", "25:00-26:00", "07:00-07:00", "22:00-06:00x"])(
  "%s is no window",
  (text) => expect(parseWindow(text, "UTC")).toBeNull(),
);
test("of no time zone there is no window", () => expect(parseWindow("22:00-06:00", "Mars/Olympus")).toBeNull());
test("a window reads as it was given", () => {
  expect(windowText(NIGHT)).toBe("22:00-06:00");
  expect(windowText(window("00:00-24:00", "UTC"))).toBe("00:00-24:00");
});
test("no window is always open", () => {
  expect(isOpen(null, 0)).toBe(true);
  expect(opensAt(null, 5)).toBe(5);
});

describe("a window is open by the wall clock of its zone", () => {
  test.each([
    [NIGHT, "2026-03-01T21:59:59+08:00", false],
    [NIGHT, "2026-03-01T22:00:00+08:00", true],
    [NIGHT, "2026-03-02T00:00:00+08:00", true],
    [NIGHT, "2026-03-02T05:59:59.999+08:00", true],
    [NIGHT, "2026-03-02T06:00:00+08:00", false],
    [DAY, "2026-01-05T08:29:00Z", false],
    [DAY, "2026-01-05T08:30:00Z", true],
    [DAY, "2026-07-06T07:30:00Z", true],
    [DAY, "2026-07-06T15:00:00Z", false],
    [window("00:00-24:00", "UTC"), "2026-07-06T23:59:59Z", true],
    [window("05:45-05:46", "Asia/Kathmandu"), "2026-07-06T00:00:30Z", true],
  ])("%o at %s: %s", (its, time, open) => expect(isOpen(its, at(time))).toBe(open));
});

/** Berlin goes from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25; Lord Howe shifts by half an hour. */
describe("a closed window opens", () => {
  test.each([
    ["tonight", NIGHT, "2026-03-01T12:34:56.789+08:00", "2026-03-01T22:00:00+08:00"],
    ["tomorrow", DAY, "2026-01-05T17:00:00+01:00", "2026-01-06T09:30:00+01:00"],
    ["after midnight", window("01:00-02:00", "UTC"), "2026-01-05T23:59:00Z", "2026-01-06T01:00:00Z"],
    ["an hour sooner when the clock is put forward", DAY, "2026-03-28T17:00:00+01:00", "2026-03-29T09:30:00+02:00"],
    ["an hour later when it is put back", DAY, "2026-10-24T17:00:00+02:00", "2026-10-25T09:30:00+01:00"],
    [
      "when its first minute is skipped, with the first that is not",
      window("02:30-05:00", "Europe/Berlin"),
      "2026-03-28T12:00:00+01:00",
      "2026-03-29T03:00:00+02:00",
    ],
    [
      "not on a day that skips all of it",
      window("02:10-02:50", "Europe/Berlin"),
      "2026-03-28T12:00:00+01:00",
      "2026-03-30T02:10:00+02:00",
    ],
    [
      "the first time that a repeated hour shows it",
      window("02:30-05:00", "Europe/Berlin"),
      "2026-10-24T12:00:00+02:00",
      "2026-10-25T02:30:00+02:00",
    ],
    [
      "by half an hour's shift",
      window("06:00-07:00", "Australia/Lord_Howe"),
      "2026-10-03T12:00:00+10:30",
      "2026-10-04T06:00:00+11:00",
    ],
  ])("%s", (_, its, now, opens) => {
    expect(new Date(opensAt(its, at(now))).toISOString()).toBe(new Date(at(opens)).toISOString());
  });

  test("at once when it is open", () =>
    expect(opensAt(NIGHT, at("2026-03-01T23:00:01+08:00"))).toBe(at("2026-03-01T23:00:01+08:00")));
});
