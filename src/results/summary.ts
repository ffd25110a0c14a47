import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { BatchCounts, ProviderCounts } from "../domain/batch.js";
import { BILLING, MICROS } from "../domain/money.js";
import { OUTCOME_STREAMS } from "../domain/record.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { countLines, readRecords } from "./read-lines.js";
import { writeFileWhole } from "./write-whole.js";

interface CallTotals {
  readonly calls: number;
  readonly billableCalls: number;
  readonly uncertainCalls: number;
}

/** `summary.json`. The figures are the batch's, over all its runs; `thisRun` is what the last one added. */
export interface Summary extends CallTotals {
  readonly schema: 1;
  readonly batch: string;
  readonly found: number;
  readonly accepted: number;
  readonly review: number;
  readonly rejected: number;
  readonly failed: number;
  readonly duplicate: number;
  readonly pending: number;
  /** Whether every page found has its outcome. */
  readonly complete: boolean;
  /** Of this run. */
  readonly seconds: number;
  readonly providers: Readonly<Partial<Record<ProviderName, ProviderSummary>>>;
  /** Of billable calls, at the batch's prices. */
  readonly cost: number;
  /** What uncertain calls have cost on top of that at the most. */
  readonly uncertainCost: number;
  /** Null: none. */
  readonly maxCalls: number | null;
  readonly budget: number | null;
  /** Files in the sources that are no images. */
  readonly ignored: number;
  /** Failures by code. */
  readonly failures: Readonly<Record<string, number>>;
  readonly thisRun: CallTotals;
  readonly keyring: string;
  readonly finishedAt: string;
}

export interface ProviderSummary extends ProviderCounts {
  readonly cost: number;
  /** `assumed`: the vendor does not say what it bills, and every 2xx is taken as billed. */
  readonly billing: (typeof BILLING)[ProviderName];
}

export interface SummaryInput {
  readonly batch: string;
  readonly counts: BatchCounts;
  /** The same before this run. */
  readonly before: BatchCounts;
  readonly seconds: number;
  readonly ignored: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly keyring: string;
  readonly finishedAt: Date;
}

export function summarize(input: SummaryInput): Summary {
  const { counts, before } = input;
  const totals = totalCalls(counts);
  const earlier = totalCalls(before);
  return {
    schema: 1,
    batch: input.batch,
    found: counts.found,
    ...counts.outcomes,
    pending: counts.pending,
    complete: isComplete(counts),
    ...totals,
    seconds: Math.round(input.seconds * 1000) / 1000,
    providers: summarizeProviders(counts),
    cost: counts.money.cost / MICROS,
    uncertainCost: counts.money.atRisk / MICROS,
    maxCalls: counts.money.limits.maxCalls,
    budget: counts.money.limits.budget === null ? null : counts.money.limits.budget / MICROS,
    ignored: input.ignored,
    failures: input.failures,
    thisRun: {
      calls: totals.calls - earlier.calls,
      billableCalls: totals.billableCalls - earlier.billableCalls,
      uncertainCalls: totals.uncertainCalls - earlier.uncertainCalls,
    },
    keyring: input.keyring,
    finishedAt: input.finishedAt.toISOString(),
  };
}

function isComplete({ fed, pending, stale }: BatchCounts): boolean {
  return fed && pending === 0 && stale === 0;
}

export async function writeSummary(folder: string, summary: Summary): Promise<void> {
  await writeFileWhole(join(folder, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
}

/** Brings what an earlier summary says of outcomes up to date; without one there is nothing to bring. */
export async function refreshSummary(folder: string, counts: BatchCounts): Promise<void> {
  const text = await readFile(join(folder, "summary.json"), "utf8").catch(() => null);
  if (text === null) return;
  const { found, outcomes, pending } = counts;
  const now = { found, ...outcomes, pending, complete: isComplete(counts), failures: await countFailures(folder) };
  await writeSummary(folder, { ...(JSON.parse(text) as Summary), ...now });
}

/**
 * Holds the files against the accounts: every outcome that is accounted for has one line (I3).
 * @returns what is wrong, or null
 */
export async function checkAccounts(folder: string, { outcomes }: BatchCounts): Promise<string | null> {
  const { accepted, review, duplicate, rejected, failed } = outcomes;
  const accounted = { results: accepted + review + duplicate, failures: rejected + failed };
  for (const stream of OUTCOME_STREAMS) {
    const lines = await countLines(join(folder, STREAM_FILES[stream]));
    if (lines !== accounted[stream]) {
      return `${STREAM_FILES[stream]} has ${lines} lines where ${accounted[stream]} outcomes are accounted for`;
    }
  }
  return null;
}

/** How many failures of each code the folder holds. */
export async function countFailures(folder: string): Promise<Record<string, number>> {
  const codes: Record<string, number> = {};
  for await (const { outcome, code } of readRecords(join(folder, STREAM_FILES.failures))) {
    if (outcome === "failed" && code !== undefined) codes[code] = (codes[code] ?? 0) + 1;
  }
  return codes;
}

function summarizeProviders({ providers, money }: BatchCounts): Summary["providers"] {
  const entries = PROVIDER_NAMES.flatMap((name) => {
    const its = providers[name];
    if (its === undefined) return [];
    const cost = (its.billableCalls * (money.prices[name] ?? 0)) / MICROS;
    return [[name, { ...its, cost, billing: BILLING[name] }] as const];
  });
  return Object.fromEntries(entries);
}

function totalCalls({ providers }: BatchCounts): CallTotals {
  const all = Object.values(providers);
  const sum = (field: keyof ProviderCounts) => all.reduce((total, counts) => total + counts[field], 0);
  return { calls: sum("calls"), billableCalls: sum("billableCalls"), uncertainCalls: sum("uncertainCalls") };
}
