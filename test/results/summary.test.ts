import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BatchCounts } from "../../src/domain/batch.js";
import { checkAccounts, countFailures, type SummaryInput, summarize, writeSummary } from "../../src/results/summary.js";
import { NO_MONEY } from "../helpers/money.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

const counts: BatchCounts = {
  found: 21,
  outcomes: { accepted: 10, review: 4, rejected: 3, failed: 2, duplicate: 1 },
  pending: 1,
  stale: 0,
  providers: {
    huawei: { calls: 20, billableCalls: 15, uncertainCalls: 2 },
    local: { calls: 3, billableCalls: 0, uncertainCalls: 0 },
  },
  money: {
    limits: { maxCalls: 100, budget: 2_500_000 },
    prices: { huawei: 100_000 },
    cost: 1_500_000,
    atRisk: 200_000,
    underWay: 0,
    left: { calls: 85, amount: 800_000 },
    spent: false,
  },
  fed: true,
  halt: null,
};
const nothing: BatchCounts = {
  found: 0,
  outcomes: { accepted: 0, review: 0, rejected: 0, failed: 0, duplicate: 0 },
  pending: 0,
  stale: 0,
  providers: {},
  money: NO_MONEY,
  fed: false,
  halt: null,
};
const input: SummaryInput = {
  batch: "b",
  counts,
  before: nothing,
  seconds: 1.23456,
  ignored: 7,
  failures: { "image-corrupt": 2 },
  keyring: "/home/u/keyring.json",
  finishedAt: new Date("2026-11-22T08:00:00Z"),
};

describe("summarize", () => {
  test("adds up over the providers, and says what this run added", () => {
    const before = { ...nothing, providers: { huawei: { calls: 5, billableCalls: 5, uncertainCalls: 1 } } };
    expect(summarize({ ...input, before })).toEqual({
      schema: 1,
      batch: "b",
      found: 21,
      accepted: 10,
      review: 4,
      rejected: 3,
      failed: 2,
      duplicate: 1,
      pending: 1,
      complete: false,
      calls: 23,
      billableCalls: 15,
      uncertainCalls: 2,
      seconds: 1.235,
      providers: {
        huawei: { ...counts.providers.huawei, cost: 1.5, billing: "stated" },
        local: { ...counts.providers.local, cost: 0, billing: "free" },
      },
      cost: 1.5,
      uncertainCost: 0.2,
      maxCalls: 100,
      budget: 2.5,
      ignored: 7,
      failures: { "image-corrupt": 2 },
      thisRun: { calls: 18, billableCalls: 10, uncertainCalls: 1 },
      keyring: "/home/u/keyring.json",
      finishedAt: "2026-11-22T08:00:00.000Z",
    });
  });

  test.each<[boolean, Partial<BatchCounts>]>([
    [true, { pending: 0 }],
    [false, { pending: 1 }],
    [false, { pending: 0, stale: 1 }],
    [false, { pending: 0, fed: false, halt: null }],
  ])("complete is %s with %o", (complete, more) => {
    expect(summarize({ ...input, counts: { ...counts, ...more } }).complete).toBe(complete);
  });
});

test("writeSummary replaces the file as a whole", async () => {
  const folder = tempFolder({ "summary.json": "old and longer than the new one ".repeat(100) });
  const summary = summarize(input);
  await writeSummary(folder, summary);
  expect(JSON.parse(readFileSync(join(folder, "summary.json"), "utf8"))).toEqual(summary);
  expect(readdirSync(folder)).toEqual(["summary.json"]);
});

test("countFailures counts by code what failed, not what was rejected", async () => {
  const lines = [
    recordOf("b", 1, "failed", { code: "image-corrupt" }),
    recordOf("b", 2, "failed", { code: "image-empty" }),
    recordOf("b", 3, "failed", { code: "image-corrupt" }),
    recordOf("b", 4, "rejected"),
  ];
  const folder = tempFolder({ "failures.ndjson": lines.map((line) => `${JSON.stringify(line)}\n`).join("") });
  expect(await countFailures(folder)).toEqual({ "image-corrupt": 2, "image-empty": 1 });
  expect(await countFailures(tempFolder())).toEqual({});
});

test("checkAccounts tells a line too few or too many from files that agree with the accounts", async () => {
  const line = (outcome: "accepted" | "rejected", n: number) => `${JSON.stringify(recordOf("b", n, outcome))}\n`;
  const outcomes = { ...nothing.outcomes, accepted: 2, rejected: 1 };
  const check = (results: string, failures: string) =>
    checkAccounts(tempFolder({ "results.ndjson": results, "failures.ndjson": failures }), { ...nothing, outcomes });
  const two = line("accepted", 1) + line("accepted", 2);
  expect(await check(two, line("rejected", 3))).toBeNull();
  expect(await check(two + line("accepted", 4), line("rejected", 3))).toContain("results.ndjson has 3 lines");
  expect(await check(two, "")).toContain("failures.ndjson has 0 lines");
  expect(await checkAccounts(tempFolder(), nothing)).toBeNull();
});
