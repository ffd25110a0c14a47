import type { IncomingHttpHeaders } from "node:http";

/** Longer wishes are cut to this: whoever asks for more is asked again. @unit milliseconds */
export const MAX_RETRY_AFTER_MS = 15 * 60 * 1000;

/** The three date forms of RFC 9110, section 5.6.7: a day's name first, and a time. `Date.parse` alone takes much more. */
const HTTP_DATE = /^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d\d:\d\d:\d\d/i;

/**
 * How long a reply asks to be left alone: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3).
 * A date counts from the reply's own Date where it has one, so that a wrong clock here does no harm; a past one is 0.
 * @param nowMs stands in for a missing Date
 * @returns milliseconds, at most 15 minutes; null for none, and for what is neither form (negative, fraction, words)
 */
export function parseRetryAfter(headers: IncomingHttpHeaders, nowMs: number): number | null {
  const header = firstOf(headers["retry-after"])?.trim() ?? "";
  if (/^\d+$/.test(header)) return Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS);
  const dateMs = parseHttpDate(header);
  if (dateMs === null) return null;
  return Math.min(Math.max(dateMs - (parseDate(headers) ?? nowMs), 0), MAX_RETRY_AFTER_MS);
}

/** The reply's Date in milliseconds since 1970, or null. */
export function parseDate(headers: IncomingHttpHeaders): number | null {
  return parseHttpDate(firstOf(headers.date)?.trim() ?? "");
}

function parseHttpDate(text: string): number | null {
  // asctime has no zone, and is UTC by definition.
  const ms = HTTP_DATE.test(text) ? Date.parse(/GMT$/i.test(text) ? text : `${text} GMT`) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
