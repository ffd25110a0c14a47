import { expect, test } from "vitest";
import { ConfigError } from "../../../src/domain/errors.js";
import { createFaultPlan } from "../../../src/http/emulate/fault-plan.js";
import { parseFaults } from "../../../src/http/emulate/faults.js";

const kinds = (faults: unknown, calls: number, nowMs: (call: number) => number = () => 0) => {
  const plan = createFaultPlan(parseFaults(faults), 0);
  return Array.from({ length: calls }, (_, call) => plan.next("huawei", nowMs(call))?.kind ?? null);
};

test("the probabilities of rules are shares of the calls, the same for the same seed", () => {
  const faults = {
    seed: 7,
    rules: [
      { probability: 0.2, do: { kind: "status", status: 503 } },
      { probability: 0.1, do: { kind: "html" } },
      { probability: 0.05, do: { kind: "reset-after" } },
    ],
  };
  const seen = kinds(faults, 10_000);
  const share = (kind: string | null) => seen.filter((one) => one === kind).length / seen.length;
  expect(share("status")).toBeCloseTo(0.2, 1);
  expect(share("html")).toBeCloseTo(0.1, 1);
  expect(share("reset-after")).toBeCloseTo(0.05, 1);
  expect(share(null)).toBeCloseTo(0.65, 1);
  expect(kinds(faults, 10_000)).toEqual(seen);
  expect(kinds({ ...faults, seed: 8 }, 10_000)).not.toEqual(seen);
});

test("windows by call number, by time, and by how often", () => {
  expect(kinds({ rules: [{ calls: { from: 2, to: 3 }, do: { kind: "html" } }] }, 4)).toEqual([
    null,
    "html",
    "html",
    null,
  ]);
  const byTime = { rules: [{ time: { fromMs: 10, toMs: 30 }, do: { kind: "html" } }] };
  expect(kinds(byTime, 4, (call) => call * 10)).toEqual([null, "html", "html", null]);
  expect(kinds({ rules: [{ times: 2, do: { kind: "html" } }] }, 4)).toEqual(["html", "html", null, null]);
});

test("a rule holds for its own target, and without one for both OCR services", () => {
  const plan = createFaultPlan(
    parseFaults({
      rules: [
        { on: "iam", do: { kind: "html" } },
        { on: "shiliuai", calls: { from: 2 }, do: { kind: "empty" } },
        { calls: { from: 4 }, do: { kind: "reset-after" } },
      ],
    }),
    0,
  );
  const targets = ["iam", "huawei", "shiliuai", "shiliuai", "huawei", "iam"] as const;
  expect(targets.map((target) => plan.next(target, 0)?.kind ?? null)).toEqual([
    "html",
    null,
    null,
    "empty",
    "reset-after",
    "html",
  ]);
});

test.each([
  [null, /^faults: /],
  [{ rules: {} }, /^rules: /],
  [{ rules: [{ do: { kind: "explode" } }] }, /^rules\.0\.do\.kind: /],
  [{ rules: [{ do: { kind: "status", status: 200 } }] }, /^rules\.0\.do\.status: /],
  [{ rules: [{ do: { kind: "html" }, probability: 2 }] }, /^rules\.0\.probability: /],
  [{ rules: [{ do: { kind: "html", typo: 1 } }] }, /typo/],
  [{ rules: [{ do: { kind: "status", status: 429, retryAfter: "1\r\nx: y" } }] }, /^rules\.0\.do\.retryAfter: /],
])("%j is refused, with the place", (faults, message) => {
  expect(() => parseFaults(faults)).toThrow(ConfigError);
  expect(() => parseFaults(faults)).toThrow(message);
});
