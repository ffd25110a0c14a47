import type { Candidate } from "./decode.js";

/** A month on a card; `text` is `MM/YY`. */
export interface CardMonth {
  readonly text: string;
  /** Months since January 2000, to compare by. */
  readonly ordinal: number;
}

/** Reads `MM/YY` or `MM/20YY`; null when it is neither or the month does not exist. */
export function parseMonth(raw: string): CardMonth | null {
  const match = /^(\d{2})\/(?:20)?(\d{2})$/.exec(raw);
  if (match === null) return null;
  const month = Number(match[1]);
  const year = Number(match[2]);
  if (month < 1 || month > 12) return null;
  return { text: `${match[1]}/${match[2]}`, ordinal: year * 12 + month - 1 };
}

/** The likeliest candidate that is a date, with its log-probability and its lead over the next best other date. */
export function chooseMonth(
  candidates: readonly Candidate[],
): { readonly month: CardMonth; readonly logMass: number; readonly margin: number } | null {
  const dates: { month: CardMonth; logMass: number }[] = [];
  for (const { text, logMass } of candidates) {
    const month = parseMonth(text);
    if (month !== null && !dates.some((d) => d.month.text === month.text)) dates.push({ month, logMass });
  }
  const [best, next] = dates;
  if (best === undefined) return null;
  return { ...best, margin: best.logMass - (next?.logMass ?? best.logMass - 30) };
}
