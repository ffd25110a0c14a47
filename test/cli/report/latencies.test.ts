import { expect, test } from "vitest";
import { createLatencies } from "../../../src/cli/report/latencies.js";

test("percentiles of many calls, each within 2.5 % of what it is", () => {
  const latencies = createLatencies();
  for (let ms = 1; ms <= 10_000; ms++) latencies.add("huawei", ms);
  const [huawei] = latencies.list();
  expect(huawei).toMatchObject({ provider: "huawei", calls: 10_000, max: 10_000 });
  for (const [name, exact] of [
    ["p50", 5000],
    ["p90", 9000],
    ["p95", 9500],
    ["p99", 9900],
  ] as const) {
    expect(Math.abs((huawei?.[name] ?? 0) / exact - 1)).toBeLessThan(0.026);
  }
});

test.each([0, 0.2, 7, 600_000])("one call of %d ms is all its percentiles", (ms) => {
  const latencies = createLatencies();
  latencies.add("local", ms);
  const [local] = latencies.list();
  expect(local?.p50).toBe(local?.p99);
  expect(local?.p99).toBeLessThanOrEqual(ms);
});
