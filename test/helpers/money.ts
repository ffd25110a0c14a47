import type { BatchMoney } from "../../src/domain/batch.js";
import { NO_LIMITS } from "../../src/domain/money.js";

/** Of a batch that costs nothing and has no limit. */
export const NO_MONEY: BatchMoney = {
  limits: NO_LIMITS,
  prices: {},
  cost: 0,
  atRisk: 0,
  underWay: 0,
  left: { calls: null, amount: null },
  spent: false,
};
