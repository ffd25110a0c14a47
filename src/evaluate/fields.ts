import type { DigitMatch } from "../domain/digit-match.js";
import type { JudgedPage } from "../results/accuracy.js";

/** One field over the pages whose truth file has a column for it. */
export interface FieldScore {
  readonly name: keyof typeof FIELD_NAMES;
  /** Pages that show one: recall is `right` of these. */
  readonly labelled: number;
  /** Pages for which one was read: precision is `right` of these. */
  readonly given: number;
  readonly right: number;
}

export const FIELD_NAMES = {
  number: "number",
  issueDate: "issue date",
  expiryDate: "expiry date",
  bank: "bank",
  type: "type",
} as const;

/** What a page's label and its record say of a field; null for none, an undefined label for no column. */
type Pair = readonly [label: string | null | undefined, read: string | null];

const FIELDS: Readonly<Record<FieldScore["name"], (page: JudgedPage) => Pair>> = {
  number: ({ label, record }) => [label.fingerprint, record.cards[0]?.number?.fingerprint ?? null],
  issueDate: ({ label, record }) => [label.issueDate, record.cards[0]?.issueDate ?? null],
  expiryDate: ({ label, record }) => [label.expiryDate, record.cards[0]?.expiryDate ?? null],
  bank: ({ label, record }) => [label.bank, record.cards[0]?.bank?.name ?? null],
  type: ({ label, record }) => [label.type, typeOf(record)],
};

/** Of every field that some page shows, or that was read on some page. */
export function scoreFields(pages: readonly JudgedPage[]): FieldScore[] {
  return Object.entries(FIELDS)
    .map(([name, pairOf]) => scoreField(name as FieldScore["name"], pages.map(pairOf)))
    .filter(({ labelled, given }) => labelled + given > 0);
}

function scoreField(name: FieldScore["name"], pairs: readonly Pair[]): FieldScore {
  const known = pairs.filter(([label]) => label !== undefined);
  return {
    name,
    labelled: known.filter(([label]) => label !== null).length,
    given: known.filter(([, read]) => read !== null).length,
    right: known.filter(([label, read]) => label !== null && label === read).length,
  };
}

function typeOf({ cards }: JudgedPage["record"]): string | null {
  const type = cards[0]?.type ?? "unknown";
  return type === "unknown" ? null : type;
}

/** Digit by digit over all pages; null where no page's digits were compared. */
export function sumDigits(pages: readonly JudgedPage[]): DigitMatch | null {
  const matches = pages.flatMap(({ digits }) => digits ?? []);
  if (matches.length === 0) return null;
  const sum = (key: keyof DigitMatch) => matches.reduce((total, match) => total + match[key], 0);
  return { labelled: sum("labelled"), right: sum("right"), extra: sum("extra") };
}

/** Character error rate: digits missed, mistaken and made up, over digits labelled. Null without labelled digits. */
export function characterErrorRate({ labelled, right, extra }: DigitMatch): number | null {
  return labelled === 0 ? null : (labelled - right + extra) / labelled;
}
