/** Months as `YYYY-MM`; null where none was printed, given or understood. */
export interface CardDates {
  readonly issueDate: string | null;
  readonly expiryDate: string | null;
}

const MOST_YEARS_AHEAD = 20;
const FIRST_YEAR = 1950;
const LAST_YEAR = 2099;

const DASH = "/.\\-\\u2010-\\u2015\\u2212";
/** `2026-12-31`, of which the day is of no interest. */
const FULL_DATE = new RegExp(`(?<!\\d)(\\d{4})([${DASH}])(\\d{1,2})\\2\\d{1,2}(?!\\d)`, "g");
/** `12/31/2026`: nobody can tell the day from the month. */
const UNCLEAR_DATE = new RegExp(`(?<!\\d)\\d{1,2}([${DASH}])\\d{1,2}\\1\\d{2,4}(?!\\d)`, "g");
const MONTH = new RegExp(
  `(?<!\\d)(\\d{4}|\\d{1,2})(?:\\s{0,3}[${DASH}]\\s{0,3}|\\s{1,3})(\\d{4}|\\d{1,2})(?!\\d)`,
  "g",
);
const FOUR_DIGITS = /(?<!\d)(\d{2})(\d{2})(?!\d)/g;

/**
 * The dates of a card out of what a provider wrote, in every form the vendors are known to use: `12/20`, `07/2023`,
 * `2024/12`, `0726`, `2026-12`, `2026年12月`, several in one field (`03/17,04/05`). Two digits of a year mean the last such
 * year that is no more than 20 years ahead, and `10/12` is month and year. An expired card is information, not an error.
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
  const plain = text
    .normalize("NFKC")
    .replaceAll("年", "/")
    .replaceAll("月", " ")
    .replace(FULL_DATE, "$1/$3;")
    .replace(UNCLEAR_DATE, ";");
  const months = matchMonths(plain, MONTH, now);
  return (months.length > 0 ? months : matchMonths(plain, FOUR_DIGITS, now)).sort();
}

function matchMonths(text: string, pattern: RegExp, now: Date): string[] {
  return [...text.matchAll(pattern)].flatMap(([, first = "", second = ""]) => {
    const month = first.length === 4 ? toMonth(second, first, now) : toMonth(first, second, now);
    return month === null ? [] : [month];
  });
}

function toMonth(month: string, year: string, now: Date): string | null {
  const monthNumber = Number(month);
  if (month.length > 2 || monthNumber < 1 || monthNumber > 12 || year.length % 2 !== 0) return null;
  const yearNumber = year.length === 4 ? Number(year) : fullYear(Number(year), now);
  if (yearNumber < FIRST_YEAR || yearNumber > LAST_YEAR) return null;
  return `${yearNumber}-${String(monthNumber).padStart(2, "0")}`;
}

function fullYear(twoDigits: number, now: Date): number {
  const latest = now.getUTCFullYear() + MOST_YEARS_AHEAD;
  return latest - ((latest - twoDigits) % 100);
}
