import { describe, expect, test } from "vitest";
import {
  amountText,
  type BatchLimits,
  budgetInMicros,
  type CallFates,
  callsUnderWay,
  costAtRisk,
  costOf,
  countedProviders,
  isSpent as isLeftSpent,
  leftInLimits,
  priceInMicros,
} from "../../src/domain/money.js";

const fates = (more: Partial<CallFates>): CallFates => ({
  calls: 0,
  billable: 0,
  uncertain: 0,
  refused: 0,
  free: 0,
  ...more,
});
const isSpent = (...[its, calls, prices, providers]: Parameters<typeof leftInLimits>) =>
  isLeftSpent(leftInLimits(its, calls, prices, providers), prices, providers);
const limits = (more: Partial<BatchLimits>): BatchLimits => ({ maxCalls: null, budget: null, ...more });

test.each([
  [0.0123, 12_300],
  [0.1, 100_000],
  [0.0000004, 1],
  [0, 0],
])("a price of %d is set aside as %d, never less", (price, micros) => expect(priceInMicros(price)).toBe(micros));

test.each([
  [12.3, 12_300_000],
  [0.0000019, 1],
])("a budget of %d is kept as %d, never more", (budget, micros) => expect(budgetInMicros(budget)).toBe(micros));

test.each([
  [12_500_000, "12.50"],
  [3_000, "0.003"],
  [0, "0.00"],
  [1_000_000_000_000, "1000000.00"],
])("%d reads %s", (micros, text) => expect(amountText(micros)).toBe(text));

test("what calls cost, and what those with an open end may cost still", () => {
  const its = {
    huawei: fates({ calls: 10, billable: 4, uncertain: 2, refused: 1 }),
    local: fates({ calls: 3, free: 3 }),
  };
  expect(callsUnderWay(its.huawei)).toBe(3);
  expect(callsUnderWay(its.local)).toBe(0);
  expect(costOf(its, { huawei: 100 })).toBe(400);
  expect(costAtRisk(its, { huawei: 100 })).toBe(500);
});

describe("limits", () => {
  test.each([
    ["one is left", fates({ calls: 4, billable: 4 }), false],
    ["all are billed", fates({ calls: 5, billable: 5 }), true],
    ["all are under way", fates({ calls: 5 }), true],
    ["some are uncertain", fates({ calls: 5, billable: 3, uncertain: 2 }), true],
    ["some were refused", fates({ calls: 9, billable: 4, refused: 5 }), false],
  ])("of 5 calls, when %s", (_, huawei, spent) => {
    expect(isSpent(limits({ maxCalls: 5 }), { huawei }, {}, ["huawei"])).toBe(spent);
  });

  test.each([
    [1_000_000, fates({ calls: 3, billable: 3 }), false],
    [1_000_000, fates({ calls: 4, billable: 4 }), true],
    [1_200_000, fates({ calls: 3, billable: 3 }), false],
    [1_000_000, fates({ calls: 4, billable: 3, refused: 1 }), false],
  ])("of an amount of %d at 0.25 a call", (budget, huawei, spent) => {
    expect(isSpent(limits({ budget }), { huawei }, { huawei: 250_000 }, ["huawei"])).toBe(spent);
  });

  test("an amount says nothing of what is free", () => {
    expect(isSpent(limits({ budget: 0 }), { local: fates({ calls: 9, free: 9 }) }, {}, ["local"])).toBe(false);
  });

  test("calls to a free provider count where there is no other", () => {
    expect(countedProviders(["local", "huawei"])).toEqual(["huawei"]);
    expect(countedProviders(["local"])).toEqual(["local"]);
    const local = fates({ calls: 5, free: 5 });
    expect(isSpent(limits({ maxCalls: 5 }), { local }, {}, ["local"])).toBe(true);
    expect(isSpent(limits({ maxCalls: 5 }), { local }, {}, ["local", "huawei"])).toBe(false);
  });
});
