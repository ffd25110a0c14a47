import { expect, test } from "vitest";
import { createRunLog } from "../../../src/cli/report/run-log.js";
import { called } from "../../helpers/called.js";

test("golden calls are in no figure but their own", () => {
  const log = createRunLog();
  log.observe(called());
  log.observe(called({ durationMs: 9000, isGolden: true }));
  log.observe({ type: "golden", provider: "huawei", match: "wrong", isAccepted: true });
  const { latencies, results, golden } = log.story();
  expect(latencies).toMatchObject([{ provider: "huawei", calls: 1, max: 100 }]);
  expect(results.get("huawei")?.get("ok")).toBe(1);
  expect(golden).toEqual({ cards: 1, wrong: 1, wrongAccepts: 1, calls: 1, billableCalls: 1 });
});
