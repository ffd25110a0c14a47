import { expect, test } from "vitest";
import { parsePort, parseTime, parseWhole } from "../../src/cli/option-values.js";

test.each([
  [parseWhole, "7", 7],
  [parsePort, "0", 0],
  [parsePort, "65535", 65_535],
  [parseTime, "2h", 7_200_000],
])("%o takes %s", (read, text, value) => {
  expect(read(text)).toBe(value);
});

test.each(["-1", "65536", "1.5", "http"])("%s is no port", (text) => {
  expect(() => parsePort(text)).toThrow();
});
