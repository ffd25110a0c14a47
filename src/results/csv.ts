/** Says that what follows is UTF-8: without it spreadsheets take a bank's Chinese name for something else. */
export const CSV_START = "\ufeff";

/** Full-width signs too: spreadsheets of Asian locales take them for the others. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * What spreadsheets would make a number or a date of, and show and save as another text: leading zeros, more than 15 digits,
 * `2020-12`, `1/2`, `12e3`.
 */
const CONVERTED = /^\d[\d\s.,:/年月日-]*(?:e[+-]?\d+)?%?$/i;

/**
 * One row for spreadsheets, RFC 4180. Text that would be run as a formula starts with an apostrophe (OWASP, CSV injection); text
 * that would be changed starts with a tab, which they show as nothing. Numbers and truth values are left to them.
 */
export function csvRow(values: readonly unknown[]): string {
  return `${values.map(cell).join(",")}\r\n`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : CONVERTED.test(value) ? `\t${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text that a cell of `csvRow` was made of, as far as whoever edited it has left it so. */
export function cellText(cell: string): string {
  const text = cell.startsWith("'") && FORMULA.test(cell.slice(1)) ? cell.slice(1) : cell;
  return text.trim();
}
