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

/** How long each of four calls waits that may leave at the same moment. */
async function waitsOf(its: Slot | null, waitMs: number): Promise<number[]> {
  const startedAt = performance.now();
  const spacing = createSpacing();
  const waits = [1, 2, 3, 4].map(async () => {
    await spacing(its, waitMs);
    return performance.now() - startedAt;
  });
  return Promise.all(waits);
}

test.each([
  ["evenly spaced", slot(30, 0), 0, [0, 30, 60, 90]],
  ["with tolerance", slot(30, 30), 0, [0, 0, 30, 60]],
  ["after what they have to wait anyway", slot(30, 0), 20, [20, 50, 80, 110]],
  ["where nothing limits", null, 0, [0, 0, 0, 0]],
])("calls that may leave at once go out one after another, %s", async (_, its, waitMs, earliest) => {
  const waits = await waitsOf(its, waitMs);
  // Timers of Node may be early by a fraction of a millisecond.
  for (const [i, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual((earliest[i] ?? 0) - 1.5);
});
