import { describe, expect, test } from "vitest";
import { count, duration, parseDuration, plural, wrap } from "../../src/cli/format.js";

test.each([
  [0, "0 pages"],
  [1, "1 page"],
  [2, "2 pages"],
  [12_345, "12,345 pages"],
])("plural(%i)", (value, text) => {
  expect(plural(value, "page")).toBe(text);
  expect(text).toContain(count(value));
});

describe("duration", () => {
  const S = 1000;
  const M = 60 * S;
  const H = 60 * M;
  test.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [9949, "9.9 s"],
    [9951, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 min 0 s"],
    [3 * M + 20 * S, "3 min 20 s"],
    [H - 1, "1 h 0 min"],
    [47 * H + 59 * M, "47 h 59 min"],
    [48 * H, "2 days 0 h"],
    [51 * H, "2 days 3 h"],
  ])("%d ms is %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe("parseDuration", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1.5h", 5_400_000],
    [" 90s ", 90_000],
    ["0s", 0],
  ])("%j", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "30", "s", "-5m", "5 m", "1h30m", "1e3s", "5M", ".5h", "five minutes"])("%j is none", (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

test.each([
  ["one two three", 8, ["one two", "three"]],
  ["one two three", 80, ["one two three"]],
  ["\u001b[31mone two\u001b[39m three", 7, ["\u001b[31mone two\u001b[39m", "three"]],
  ["a/path/longer/than/that is kept", 8, ["a/path/longer/than/that", "is kept"]],
  ["", 8, [""]],
  ["one two", -5, ["one", "two"]],
])("%j in %i columns", (text, columns, lines) => {
  expect(wrap(text, columns)).toEqual(lines);
});
