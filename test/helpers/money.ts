import type { BatchMoney } from "../../src/domain/batch.js";

/** Of a batch that costs nothing and has no limit. */
export const NO_MONEY: BatchMoney = {
  limits: { maxCalls: null, budget: null },
  prices: {},
  cost: 0,
  atRisk: 0,
  underWay: 0,
  left: { calls: null, amount: null },
  spent: false,
};
