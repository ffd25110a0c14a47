import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import {
  type Batch,
  type BatchCounts,
  type BatchMoney,
  type BatchTerms,
  HALTS,
  type Halt,
  type ProviderCounts,
} from "../domain/batch.js";
import { callsUnderWay, costAtRisk, costOf, countedProviders, isSpent, leftInLimits } from "../domain/money.js";
import { JUDGING_RULES, OUTCOMES, type Outcome } from "../domain/reading.js";
import { RECORD_SCHEMA } from "../domain/record.js";
import type { CallWindow } from "../domain/window.js";
import { FIRST_GENERATION, outcomeLetter } from "./mark.js";

export type Settled = Pick<Batch, "providers" | "thresholds" | "destination" | "sources">;

/** What decides a verdict, as one word: with any of it changed, what is done must be judged again. */
export function policyOf({ providers, thresholds }: Pick<Settled, "providers" | "thresholds">): string {
  return JSON.stringify([RECORD_SCHEMA, JUDGING_RULES, providers, thresholds]);
}

/** The fields of a batch as it was opened. */
export function serialize(batch: Batch): Record<string, string> {
  return {
    generation: batch.generation,
    refreshSinceMs: String(batch.refreshSinceMs),
    window: JSON.stringify(batch.window),
    settled: JSON.stringify({
      providers: batch.providers,
      thresholds: batch.thresholds,
      destination: batch.destination,
      sources: batch.sources,
    } satisfies Settled),
  };
}

/** Null: nobody has opened it. */
export function deserialize(name: string, fields: Record<string, string>): Batch | null {
  if (fields.settled === undefined || fields.generation === undefined) return null;
  return {
    name,
    ...(JSON.parse(fields.settled) as Settled),
    generation: fields.generation,
    refreshSinceMs: Number(fields.refreshSinceMs ?? 0),
    window: parseJson<CallWindow>(fields.window),
    halt: haltOf(fields[HALT_FIELD]),
  };
}

export function haltOf(text: string | null | undefined): Halt | null {
  return HALTS.find((halt) => halt === text) ?? null;
}

export function parseJson<T>(text: string | undefined): T | null {
  return text === undefined ? null : (JSON.parse(text) as T | null);
}

/** Of what is not given there is no field, and the batch keeps its own. */
export function serializeTerms({ maxCalls, budget, prices = {} }: BatchTerms, providers: readonly ProviderName[]) {
  const priced = Object.entries(prices).map(([name, price]) => [priceField(name as ProviderName), String(price)]);
  return {
    ...(maxCalls === undefined ? {} : { [LIMIT_FIELDS.maxCalls]: String(maxCalls ?? "") }),
    ...(budget === undefined ? {} : { [LIMIT_FIELDS.budget]: String(budget ?? "") }),
    [LIMIT_FIELDS.of]: countedProviders(providers).join(","),
    ...Object.fromEntries(priced),
  };
}

export function toCounts(fields: Record<string, string>): BatchCounts {
  const count = (field: string) => Number(fields[field] ?? 0);
  const outcomes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, count(outcomeField(outcome))]));
  const ended = Object.values(outcomes).reduce((sum, value) => sum + value, 0);
  const providers: Partial<Record<ProviderName, ProviderCounts>> = {};
  for (const provider of PROVIDER_NAMES) {
    if (fields[callField(provider)] === undefined && fields[uncertainField(provider)] === undefined) continue;
    providers[provider] = {
      calls: count(callField(provider)),
      billableCalls: count(billableField(provider)),
      uncertainCalls: count(uncertainField(provider)),
    };
  }
  const found = count("found");
  return {
    found,
    outcomes: outcomes as Record<Outcome, number>,
    pending: found - ended,
    stale: ended - count(`recorded:${fields.generation ?? FIRST_GENERATION}`),
    providers,
    money: toMoney(fields),
    fed: fields.fed === "1",
    halt: haltOf(fields[HALT_FIELD]),
  };
}

function toMoney(fields: Record<string, string>): BatchMoney {
  const count = (field: string) => Number(fields[field] ?? 0);
  const limit = (field: string) => (fields[field] === undefined || fields[field] === "" ? null : count(field));
  const of = <T>(its: (name: ProviderName) => T) =>
    Object.fromEntries(PROVIDER_NAMES.map((name) => [name, its(name)])) as Record<ProviderName, T>;
  const fates = of((name) => ({
    calls: count(callField(name)),
    billable: count(billableField(name)),
    uncertain: count(uncertainField(name)),
    refused: count(refusedField(name)),
    free: count(freeField(name)),
  }));
  const prices = of((name) => count(priceField(name)));
  const limits = { maxCalls: limit(LIMIT_FIELDS.maxCalls), budget: limit(LIMIT_FIELDS.budget) };
  const { providers = [] } = parseJson<Settled>(fields.settled) ?? {};
  const left = leftInLimits(limits, fates, prices, providers);
  return {
    limits,
    prices,
    cost: costOf(fates, prices),
    atRisk: costAtRisk(fates, prices),
    underWay: Object.values(fates).reduce((sum, its) => sum + callsUnderWay(its), 0),
    left,
    spent: isSpent(left, prices, providers),
  };
}

/** Fields of a batch's hash that the scripts read or count in. */
export const HALT_FIELD = "halt";
const LIMIT_FIELDS = { maxCalls: "limit:calls", budget: "limit:budget", of: "limit:of" } as const;
const priceField = (provider: ProviderName) => `price:${provider}`;
export const askedField = (provider: ProviderName) => `asked:${provider}`;
export const outcomeField = (outcome: Outcome) => `outcome:${outcomeLetter(outcome)}`;
export const callField = (provider: ProviderName) => `calls:${provider}`;
export const billableField = (provider: ProviderName) => `billable:${provider}`;
export const refusedField = (provider: ProviderName) => `refused:${provider}`;
export const freeField = (provider: ProviderName) => `free:${provider}`;
export const uncertainField = (provider: ProviderName) => `uncertain:${provider}`;
