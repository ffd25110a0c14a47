import type { ProviderName } from "../domain/answer.js";
import type { Admission, BatchTerms } from "../domain/batch.js";
import { DistinctCounter } from "../domain/distinct.js";
import { MICROS } from "../domain/money.js";
import type { CallLimits } from "../domain/pace.js";
import { lookUpPages, type PageState } from "../queue/known-pages.js";
import type { OpenedSources } from "./feeding.js";
import { ANSWER_OPTIONS, limitsOf } from "./providers.js";
import type { Reader } from "./reading.js";
import { thresholdsOf } from "./thresholds.js";
import { walkSources } from "./walk-sources.js";

export interface DryRunOptions {
  readonly name: string;
  readonly sources: OpenedSources;
  readonly providers: readonly ProviderName[];
  readonly limit: number | null;
  readonly refresh: boolean;
  readonly terms: BatchTerms;
}

/**
 * What a run would do: `pages = unreadable + duplicates + done + answered + calls`. Of a page that the first provider leaves
 * in doubt the next is asked, too; how many those are nobody knows beforehand.
 */
export interface DryRun {
  readonly batch: string;
  readonly files: number;
  /** Files that are no images. */
  readonly ignored: number;
  readonly pages: number;
  readonly unreadable: number;
  /** Pages whose image is in the sources more than once, but for the first. */
  readonly duplicates: number;
  /** Pages that have their outcome in this batch. */
  readonly done: number;
  /** Pages whose answer is stored: they are judged without a call. */
  readonly answered: number;
  /** Calls to the first provider. */
  readonly calls: number;
  readonly provider: ProviderName;
  /** Of these calls, were each billed; in the unit of the price. */
  readonly cost: number;
  readonly price: number;
  /** At the allowed rate; null: nothing limits it, or the limit is to be found out. */
  readonly hours: number | null;
  /** Billable calls and amount that the batch has left; null: no limit. */
  readonly callsLeft: number | null;
  readonly budgetLeft: number | null;
  /** Otherwise duplicates, done, answered and calls are estimates. */
  readonly exact: boolean;
}

const KINDS = ["done", "answered", "unknown"] as const satisfies readonly PageState[];

/** Goes through the sources and looks every page up; sends, enqueues and writes nothing. */
export async function dryRun(reader: Reader, options: DryRunOptions, signal: AbortSignal): Promise<DryRun> {
  const { name, providers, refresh, terms } = options;
  const [provider] = providers;
  if (provider === undefined) throw new Error("a dry run needs a provider");
  const settled = { providers, thresholds: thresholdsOf(reader.config), destination: name, sources: [] };
  const previewed = await reader.batches.preview({ name, refresh, terms, ...settled });
  const counter = new DistinctCounter(KINDS);
  const seen = { files: 0, unreadable: 0 };
  const look = async (pages: readonly Admission[]) => {
    const first = { provider, answerOptions: ANSWER_OPTIONS[provider] };
    const states = await lookUpPages(reader.redis, reader.keys, previewed, first, pages);
    for (const [i, { imageKey, page }] of pages.entries()) {
      if (page === 0) seen.files++;
      if (imageKey === null) seen.unreadable++;
      else counter.add(digestOf(imageKey, page), states[i] ?? "unknown");
    }
  };
  const listed = await walkSources(reader, previewed.batch, options, look, signal);
  const { total, distinct, byKind, exact } = counter.counts();
  const { money } = previewed.counts;
  const price = money.prices[provider] ?? 0;
  const { left } = money;
  return {
    batch: name,
    files: seen.files,
    ignored: listed.ignored,
    pages: listed.listed,
    unreadable: seen.unreadable,
    duplicates: total - distinct,
    done: byKind.done,
    answered: byKind.answered,
    calls: byKind.unknown,
    provider,
    cost: (byKind.unknown * price) / MICROS,
    price: price / MICROS,
    hours: hoursOf(byKind.unknown, limitsOf(provider, reader.config[provider])),
    callsLeft: left.calls,
    budgetLeft: left.amount === null ? null : left.amount / MICROS,
    exact,
  };
}

/** The first 64 bits of an image's key, other ones for each of its pages. */
function digestOf(imageKey: string, page: number): bigint {
  const first = BigInt(`0x${imageKey.slice("sha256:".length, "sha256:".length + 16)}`);
  return BigInt.asUintN(64, first + BigInt(page) * 0x9e3779b97f4a7c15n);
}

function hoursOf(calls: number, limits: CallLimits | null): number | null {
  if (limits === null || limits.perSecond === "auto") return null;
  const { perSecond, perMinute, perDay } = limits;
  const each = [
    perSecond * 3600,
    perMinute === null ? Infinity : perMinute * 60,
    perDay === null ? Infinity : perDay / 24,
  ];
  return calls / Math.min(...each);
}
