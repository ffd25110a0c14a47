import { expect, test } from "vitest";
import { createSpacing } from "../../src/dispatch/spacing.js";
import type { Slot } from "../../src/domain/pace.js";

const slot = (intervalMs: number, toleranceMs: number): Slot => ({
  atUs: 0,
  intervalUs: intervalMs * 1000,
  toleranceUs: toleranceMs * 1000,
  epoch: 0,
  isProbe: false,
});

test.each([
  ["evenly spaced", slot(30, 0), 0, [30, 60, 90]],
  ["with tolerance", slot(30, 30), 0, [30, 60]],
  ["after what they have to wait anyway", slot(30, 0), 20, [20, 50, 80, 110]],
  ["where nothing limits", null, 0, []],
])("calls that may leave at the same moment go out one after another, %s", async (_, its, waitMs, expected) => {
  const waits: number[] = [];
  const spacing = createSpacing({ now: () => 1000, sleep: async (ms) => void waits.push(ms) });
  for (let call = 1; call <= 4; call++) await spacing(its, waitMs);
  expect(waits).toEqual(expected);
});

test("a call that comes later than its turn does not wait", async () => {
  let nowMs = 0;
  const spacing = createSpacing({ now: () => nowMs, sleep: async () => expect.unreachable() });
  await spacing(slot(30, 0), 0);
  nowMs = 30;
  await spacing(slot(30, 0), 0);
});
