import type { CardField, ProviderName } from "./answer.js";
import type { Quad } from "./geometry.js";
import type { CardType, Network } from "./iin.js";
import type { Pan } from "./pan.js";

/** A card, normalised: digits, `YYYY-MM` dates, closed words. Null is what nobody gave. */
export interface ReadingCard {
  readonly number: Pan | null;
  readonly bank: { readonly name: string; readonly code: string | null } | null;
  readonly network: Network | null;
  readonly type: CardType;
  /** `YYYY-MM` */
  readonly issueDate: string | null;
  /** `YYYY-MM` */
  readonly expiryDate: string | null;
  readonly confidence: Readonly<Partial<Record<CardField, number>>>;
  readonly keypoints: Readonly<Partial<Record<CardField, Quad>>>;
}

/** An answer, normalised. */
export interface Reading {
  readonly provider: ProviderName;
  readonly cards: readonly ReadingCard[];
}

/** A reading, and what its provider can tell apart. */
export interface JudgedReading {
  readonly reading: Reading;
  readonly cardsPerImage: "one" | "many";
}

export const VERDICTS = ["accepted", "review", "rejected"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const OUTCOMES = ["accepted", "review", "rejected", "failed", "duplicate"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Why a verdict is not `accepted`, from a closed list. */
export const REASONS = [
  "no-card",
  "number-missing",
  "number-length",
  "number-foreign-characters",
  "luhn",
  "issuer-unknown",
  "length-unusual",
  "confidence-low",
  "confidence-missing",
  "bank-mismatch",
  "several-cards",
  "providers-disagree",
] as const;
export type Reason = (typeof REASONS)[number];

/** Counts the changes to how `verify/` normalises and judges: what was judged by earlier rules is judged anew. */
export const JUDGING_RULES = 1;

export interface Judgement {
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
}

/** Per provider: what a number's confidence must reach to be accepted without a person looking. 0..1 */
export type Thresholds = Readonly<Record<ProviderName, number>>;
