/** Months as `YYYY-MM`; null where none was printed, given or understood. */
export interface CardDates {
  readonly issueDate: string | null;
  readonly expiryDate: string | null;
}

const YEARS_AROUND_NOW = 20;

/**
 * The dates of a card out of what a provider wrote, in every form the vendors are known to use: `12/20`, `07/2023`,
 * `2024/12`, `0726`, `2026-12`, `2026年12月`, several in one field (`03/17,04/05`). Two digits of a year mean the one
 * within 20 years of now, and `10/12` is month and year. An expired card is information, not an error.
 * @param now decides the century of two-digit years
 */
export function normalizeDates(issueText: string | null, expiryText: string | null, now: Date): CardDates {
  const issue = findMonths(issueText, now);
  const expiry = findMonths(expiryText, now);
  // Two months in one field are the card's validity: from the earlier to the later.
  if (issue.length === 0 && expiry.length > 1)
    return { issueDate: expiry[0] ?? null, expiryDate: expiry.at(-1) ?? null };
  if (expiry.length === 0 && issue.length > 1) return { issueDate: issue[0] ?? null, expiryDate: issue.at(-1) ?? null };
  return { issueDate: issue[0] ?? null, expiryDate: expiry.at(-1) ?? null };
}

/** Every month in a text, earliest first. */
function findMonths(text: string | null, now: Date): string[] {
  if (text === null) return [];
  const plain = text.normalize("NFKC").replace(/[年月]/g, (word) => (word === "年" ? "/" : " "));
  const months: string[] = [];
  for (const [, first = "", second = ""] of plain.matchAll(
    /(?<!\d)(\d{4}|\d{1,2})\s*[/\-. ]\s*(\d{4}|\d{1,2})(?!\d)/g,
  )) {
    const month = first.length === 4 ? toMonth(second, first, now) : toMonth(first, second, now);
    if (month !== null) months.push(month);
  }
  if (months.length === 0) {
    for (const [, first = "", second = ""] of plain.matchAll(/(?<!\d)(\d{2})(\d{2})(?!\d)/g)) {
      const month = toMonth(first, second, now);
      if (month !== null) months.push(month);
    }
  }
  return months.sort();
}

function toMonth(month: string, year: string, now: Date): string | null {
  const monthNumber = Number(month);
  if (month.length > 2 || monthNumber < 1 || monthNumber > 12) return null;
  const yearNumber = year.length === 4 ? Number(year) : year.length === 2 ? fullYear(Number(year), now) : null;
  if (yearNumber === null || yearNumber < 1950 || yearNumber > 2099) return null;
  return `${yearNumber}-${String(monthNumber).padStart(2, "0")}`;
}

function fullYear(twoDigits: number, now: Date): number {
  const thisYear = now.getUTCFullYear();
  const century = thisYear - (thisYear % 100);
  const candidates = [century - 100, century, century + 100].map((start) => start + twoDigits);
  const near = candidates.find((year) => Math.abs(year - thisYear) <= YEARS_AROUND_NOW);
  return near ?? century + twoDigits;
}
