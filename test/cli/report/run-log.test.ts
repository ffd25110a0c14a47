import { expect, test } from "vitest";
import { createRunLog } from "../../../src/cli/report/run-log.js";

const CALLED = {
  type: "called",
  provider: "huawei",
  result: "ok",
  durationMs: 100,
  billable: true,
  uncertain: false,
  httpStatus: null,
  vendorCode: null,
  requestId: null,
} as const;

test("golden calls are in no figure but their own", () => {
  const log = createRunLog();
  log.observe(CALLED);
  log.observe({ ...CALLED, durationMs: 9000, isGolden: true });
  log.observe({ type: "golden", provider: "huawei", match: "wrong", isAccepted: true });
  const { latencies, results, golden } = log.story();
  expect(latencies).toMatchObject([{ provider: "huawei", calls: 1, max: 100 }]);
  expect(results.get("huawei")?.get("ok")).toBe(1);
  expect(golden).toEqual({ cards: 1, wrong: 1, wrongAccepts: 1, calls: 1, billableCalls: 1 });
});
