import { stripVTControlCharacters } from "node:util";
import { amountText, MICROS } from "../domain/money.js";

const NUMBER = new Intl.NumberFormat("en");

/** `12,345` */
export function count(value: number): string {
  return NUMBER.format(value);
}

/** `1 page`, `2 pages` */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** `950 ms`, `12 s`, `3 min 20 s`, `4 h 5 min`, `2 days 3 h` */
export function duration(ms: number): string {
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${ms < 9950 ? (ms / 1000).toFixed(1) : seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** Milliseconds of `500ms`, `30s`, `5m`, `2h`, `1d`; null when it is none of these. */
export function parseDuration(text: string): number | null {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return null;
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 }[unit];
  return unitMs === undefined ? null : Number(amount) * unitMs;
}

/** Lines of whole words, of at most so many columns where the words allow it; colours take none. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    const longer = line === undefined ? word : `${line} ${word}`;
    if (line === undefined || stripVTControlCharacters(longer).length > columns) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** `12.5`, `0.003`; of an amount as summaries hold it, in whole units of money. */
export function money(amount: number): string {
  return amountText(Math.round(amount * MICROS));
}
