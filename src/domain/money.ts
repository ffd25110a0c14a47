import { PROVIDER_NAMES, type ProviderName } from "./answer.js";

/**
 * Amounts are counted in millionths, as whole numbers: sums of prices come out even, in Redis's scripts as here. The
 * currency is whatever the prices are given in.
 */
export const MICROS = 1_000_000;

/** Whether a vendor says what it bills; where it does not, every 2xx is taken as billed. */
export const BILLING: Readonly<Record<ProviderName, "free" | "stated" | "assumed">> = {
  huawei: "stated",
  shiliuai: "assumed",
  local: "free",
};

/** Price of a billable call by provider, in millionths; free where there is none. */
export type Prices = Readonly<Partial<Record<ProviderName, number>>>;

/** What a batch may spend over all its runs; null: no limit. */
export interface BatchLimits {
  /** Billable calls. Of a batch that only free providers read, their calls. */
  readonly maxCalls: number | null;
  /** In millionths. */
  readonly budget: number | null;
}

/** What became of a provider's calls: `calls` is the sum of the others and of those under way. */
export interface CallFates {
  readonly calls: number;
  readonly billable: number;
  readonly uncertain: number;
  /** Brought no answer and are not charged for. */
  readonly refused: number;
  /** Brought an answer that costs nothing. */
  readonly free: number;
}

export type FatesByProvider = Readonly<Partial<Record<ProviderName, CallFates>>>;

/** A price as it is set aside: never less than it is. */
export function priceInMicros(price: number): number {
  return Math.max(Math.ceil(price * MICROS - 1e-6), 0);
}

/** A budget as it is kept: never more than it is. */
export function budgetInMicros(budget: number): number {
  return Math.floor(budget * MICROS + 1e-6);
}

/** Calls whose answer is not there yet, or whose process died and nobody has come for the page since. */
export function callsUnderWay({ calls, billable, uncertain, refused, free }: CallFates): number {
  return calls - billable - uncertain - refused - free;
}

/** What billable calls have cost, in millionths. */
export function costOf(fates: FatesByProvider, prices: Prices): number {
  return PROVIDER_NAMES.reduce((sum, name) => sum + (fates[name]?.billable ?? 0) * (prices[name] ?? 0), 0);
}

/** What calls that may have been billed, or still may, cost on top of that at the most. */
export function costAtRisk(fates: FatesByProvider, prices: Prices): number {
  return PROVIDER_NAMES.reduce((sum, name) => {
    const its = fates[name];
    return its === undefined ? sum : sum + (its.uncertain + callsUnderWay(its)) * (prices[name] ?? 0);
  }, 0);
}

/** Which providers' calls count against `maxCalls`: those that cost something, or all where none does. */
export function countedProviders(providers: readonly ProviderName[]): readonly ProviderName[] {
  const billing = providers.filter((name) => BILLING[name] !== "free");
  return billing.length > 0 ? billing : providers;
}

/** What a batch's limits leave of billable calls and, in millionths, of money; null: no limit. Never less than nothing. */
export interface LeftInLimits {
  readonly calls: number | null;
  readonly amount: number | null;
}

/**
 * A call counts from the moment it is sent until it is known not to be charged for: so calls that nobody knows the end of
 * stay spent.
 */
export function leftInLimits(
  { maxCalls, budget }: BatchLimits,
  fates: FatesByProvider,
  prices: Prices,
  providers: readonly ProviderName[],
): LeftInLimits {
  const sent = (name: ProviderName) => (fates[name]?.calls ?? 0) - (fates[name]?.refused ?? 0);
  const calls = countedProviders(providers).reduce((sum, name) => sum + sent(name), 0);
  return {
    calls: maxCalls === null ? null : Math.max(maxCalls - calls, 0),
    amount: budget === null ? null : Math.max(budget - costOf(fates, prices) - costAtRisk(fates, prices), 0),
  };
}

/** Whether one more call to any of these providers would go over a limit. */
export function isSpent({ calls, amount }: LeftInLimits, prices: Prices, providers: readonly ProviderName[]): boolean {
  return calls === 0 || (amount !== null && providers.some((name) => (prices[name] ?? 0) > amount));
}

/** `12.5`, `0.003`: without trailing zeros, at least two decimals where there are any. */
export function amountText(micros: number): string {
  const [whole = "0", decimals = ""] = (micros / MICROS).toFixed(6).split(".");
  return `${whole}.${decimals.replace(/0+$/, "").padEnd(2, "0")}`;
}
