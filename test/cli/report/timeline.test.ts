import { expect, test } from "vitest";
import { createTimeline } from "../../../src/cli/report/timeline.js";

test("a run of a week is kept in a few hundred stretches, and none of its calls is lost", () => {
  const timeline = createTimeline();
  const seconds = 7 * 24 * 3600;
  for (let second = 0; second <= seconds; second += 0.5) {
    timeline.add({
      atMs: second * 1000,
      calls: second * 20,
      pages: second * 10,
      allowedRate: second < 1000 ? null : 20,
    });
  }
  const points = timeline.points();
  expect(points.length).toBeGreaterThan(100);
  expect(points.length).toBeLessThanOrEqual(241);
  const total = points.reduce(
    (sum, { fromMs, toMs, callsPerSecond }) => sum + (callsPerSecond * (toMs - fromMs)) / 1000,
    0,
  );
  expect(total).toBeCloseTo(seconds * 20, 3);
  expect(points.at(-1)).toMatchObject({ toMs: seconds * 1000, pagesPerSecond: 10, allowedRate: 20 });
});

test("a run that was looked at once has no course", () => {
  const timeline = createTimeline();
  expect(timeline.points()).toEqual([]);
  timeline.add({ atMs: 0, calls: 0, pages: 0, allowedRate: null });
  expect(timeline.points()).toEqual([]);
});
