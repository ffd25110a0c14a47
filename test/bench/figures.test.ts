import { expect, test } from "vitest";
import { fullestSecond, median, medianRatio, quantile } from "../../bench/lib/figures.mjs";

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
])("the median of %j is %d", (values, expected) => {
  expect(median(values)).toBe(expected);
});

test("a quantile is a measured value that so many do not exceed", () => {
  const values = Array.from({ length: 20 }, (_, i) => 20 - i);
  expect([0.5, 0.95, 1].map((share) => quantile(values, share))).toEqual([10, 19, 20]);
});

test("ratios are taken within a round, so that a slow one counts in both", () => {
  expect(medianRatio([10, 100, 1], [20, 200, 2], (value: number) => value)).toBe(0.5);
});

test.each([
  ["apart", [0, 1000, 2000], 1],
  ["together across a full second", [900, 950, 1010, 1899, 1901], 4],
])("the fullest second slides: %s", (_, times, expected) => {
  expect(fullestSecond(times)).toBe(expected);
});
