/** What labelled pages say about a provider beyond plain shares: where it fails, and whether it knows. */
import type { DigitMatch } from "../domain/digit-match.js";
import type { Accuracy, JudgedPage, Score } from "../results/accuracy.js";
import { characterErrorRate, type FieldScore, scoreFields, sumDigits } from "./fields.js";

/** Pages of one value of one column of the truth file. */
export interface Stratum {
  readonly column: string;
  readonly value: string;
  readonly number: Score;
  readonly accepted: number;
  readonly wrongAccepts: number;
}

/** Pages whose number came with a confidence between `from` and `to`. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly pages: number;
  readonly meanConfidence: number;
  readonly right: number;
}

/** What accepting every number from this confidence on would give. */
export interface CoveragePoint {
  readonly threshold: number;
  readonly accepted: number;
  readonly wrong: number;
}

/** A wrong number, by its page; the surer, the worse. */
export interface WrongPage {
  /** As the results name it: card numbers in it are masked. */
  readonly source: string;
  readonly page: number;
  readonly confidence: number;
  readonly outcome: string;
  /** First six and last four digits of what was read; null when nothing was. */
  readonly read: string | null;
}

export interface Evaluation {
  readonly accuracy: Accuracy;
  readonly fields: readonly FieldScore[];
  readonly digits: (DigitMatch & { readonly characterErrorRate: number | null }) | null;
  readonly strata: readonly Stratum[];
  readonly reliability: readonly ReliabilityBin[];
  /** Expected calibration error: how far confidence is from the share that is right, over pages with a confidence. */
  readonly calibrationError: number | null;
  readonly coverage: readonly CoveragePoint[];
  readonly latencyMs: { readonly p50: number; readonly p95: number } | null;
  readonly worst: readonly WrongPage[];
}

const BINS = 10;
const THRESHOLDS = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];
/** A column with more values than this tells pages apart, not kinds of pages. */
const MOST_VALUES = 12;
const MOST_WRONG = 24;

export function createEvaluation() {
  const pages: JudgedPage[] = [];
  return {
    add: (page: JudgedPage) => void pages.push(page),
    result: (accuracy: Accuracy): Evaluation => {
      const reliability = reliabilityOf(pages);
      const digits = sumDigits(pages);
      return {
        accuracy,
        fields: scoreFields(pages),
        digits: digits === null ? null : { ...digits, characterErrorRate: characterErrorRate(digits) },
        strata: strataOf(pages),
        reliability,
        calibrationError: calibrationErrorOf(reliability),
        coverage: THRESHOLDS.map((threshold) => coverageAt(pages, threshold)),
        latencyMs: latencyOf(pages),
        worst: worstOf(pages),
      };
    },
  };
}

/** Of the page's first card; null where no number was read or the provider gives no confidence. */
function confidenceOf({ record }: JudgedPage): number | null {
  return record.cards[0]?.confidence.number ?? null;
}

function strataOf(pages: readonly JudgedPage[]): Stratum[] {
  const columns = [...new Set(pages.flatMap(({ label }) => Object.keys(label.strata)))];
  return columns.flatMap((column) => {
    const values = new Map<string, JudgedPage[]>();
    for (const page of pages) {
      const value = page.label.strata[column] ?? "";
      const its = values.get(value) ?? [];
      its.push(page);
      if (value !== "") values.set(value, its);
    }
    if (values.size < 2 || values.size > MOST_VALUES) return [];
    return [...values]
      .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
      .map(([value, its]) => ({
        column,
        value,
        number: { labelled: its.length, right: its.filter(({ isRight }) => isRight).length },
        accepted: its.filter(({ isAccepted }) => isAccepted).length,
        wrongAccepts: its.filter(({ isAccepted, isRight }) => isAccepted && !isRight).length,
      }));
  });
}

function reliabilityOf(pages: readonly JudgedPage[]): ReliabilityBin[] {
  const bins = Array.from({ length: BINS }, () => ({ pages: 0, sum: 0, right: 0 }));
  for (const page of pages) {
    const confidence = confidenceOf(page);
    const bin = confidence === null ? undefined : bins[Math.min(BINS - 1, Math.floor(confidence * BINS))];
    if (bin === undefined || confidence === null) continue;
    bin.pages++;
    bin.sum += confidence;
    if (page.isRight) bin.right++;
  }
  return bins.map(({ pages: count, sum, right }, i) => ({
    from: i / BINS,
    to: (i + 1) / BINS,
    pages: count,
    meanConfidence: count === 0 ? 0 : sum / count,
    right,
  }));
}

function calibrationErrorOf(bins: readonly ReliabilityBin[]): number | null {
  const all = bins.reduce((sum, { pages }) => sum + pages, 0);
  if (all === 0) return null;
  return (
    bins.reduce((sum, { pages, meanConfidence, right }) => sum + Math.abs(meanConfidence * pages - right), 0) / all
  );
}

function coverageAt(pages: readonly JudgedPage[], threshold: number): CoveragePoint {
  const taken = pages.filter((page) => (confidenceOf(page) ?? -1) >= threshold);
  return { threshold, accepted: taken.length, wrong: taken.filter(({ isRight }) => !isRight).length };
}

/** Of calls that were made now: answers from the store took no time. */
function latencyOf(pages: readonly JudgedPage[]): Evaluation["latencyMs"] {
  const times = pages.flatMap(({ record }) => record.provider?.latencyMs ?? []).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return times.length === 0 ? null : { p50: at(0.5), p95: at(0.95) };
}

function worstOf(pages: readonly JudgedPage[]): WrongPage[] {
  return pages
    .filter(({ isRight }) => !isRight)
    .map((page) => ({
      source: page.record.image.source,
      page: page.record.image.page,
      confidence: confidenceOf(page) ?? 0,
      outcome: page.record.outcome,
      read: page.record.cards[0]?.number?.masked ?? null,
    }))
    .sort((a, b) => b.confidence - a.confidence)
    .slice(0, MOST_WRONG);
}
