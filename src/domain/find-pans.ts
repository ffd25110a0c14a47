import { type DigitChain, digitChains } from "./digit-chains.js";
import { maskDigits } from "./pan.js";
import { findWindows, type PanLevel, SHOWN_FIRST, SHOWN_LAST } from "./pan-windows.js";

export type { PanLevel } from "./pan-windows.js";

/** Where a card number stands in a text, `end` exclusive. Numbers that may overlap are one span. */
export interface PanSpan {
  readonly start: number;
  readonly end: number;
}

/** Card numbers in a text, from left to right; `pan-windows` says what counts as one. Blanked ones are not found again. */
export function findPans(text: string, level: PanLevel): readonly PanSpan[] {
  return [...locate(text, level)].map(({ start, end }) => ({ start, end }));
}

export function hasPan(text: string, level: PanLevel): boolean {
  return locate(text, level).next().done !== true;
}

/** The text with its card numbers masked as `maskDigits` does, separators left out; nothing is found in it any more. */
export function maskPansIn(text: string, level: PanLevel): string {
  let masked = text;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const found = [...locate(masked, level)];
    if (found.length === 0) return masked;
    let rest = 0;
    const parts = found.flatMap(({ start, end, digits }) => {
      const before = masked.slice(rest, start);
      rest = end;
      return [before, maskDigits(digits)];
    });
    masked = parts.join("") + masked.slice(rest);
  }
  return masked.normalize("NFKC").replace(/\d/g, "*");
}

/** A reference (path or URL) as it may be shown. */
export function maskReference(reference: string): string {
  return maskPansIn(reference, "name");
}

/**
 * The text with zeros for all but the first six and last four digits of its card numbers. JSON stays JSON, also where a number
 * has no quotes; a second application changes nothing and finds nothing.
 */
export function blankPansIn(text: string): { readonly text: string; readonly hits: number } {
  const parts: string[] = [];
  let hits = 0;
  let rest = 0;
  for (const chain of digitChains(text)) {
    const blanked = blankChain(chain);
    hits += blanked.hits;
    if (blanked.hits === 0) continue;
    for (const { from, start, digits } of chain.groups) {
      parts.push(text.slice(rest, start), blanked.digits.slice(from, from + digits.length));
      rest = start + digits.length;
    }
  }
  return hits === 0 ? { text, hits } : { text: parts.join("") + text.slice(rest), hits };
}

/** What one pass leaves can look like a number again with the digits beside it; text made to do so is blanked whole. */
const MAX_PASSES = 4;
/** A file's digest as its name: the digits in it mean nothing. */
const DIGEST_NAME =
  /(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])/g;

function* locate(text: string, level: PanLevel): Generator<PanSpan & { readonly digits: string }> {
  const searched = level === "text" ? text : text.replace(DIGEST_NAME, (digest) => "x".repeat(digest.length));
  for (const chain of digitChains(searched)) {
    for (const { from, to, start, end } of findWindows(chain, level)) {
      yield { start, end, digits: chain.digits.slice(from, to) };
    }
  }
}

function blankChain(chain: DigitChain): { readonly digits: string; readonly hits: number } {
  let digits = chain.digits;
  let hits = 0;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const windows = findWindows(chain, "text", digits);
    if (windows.length === 0) return { digits, hits };
    if (pass === 0) hits = windows.length;
    let rest = 0;
    const parts = windows.flatMap(({ from, to }) => {
      const before = digits.slice(rest, from + SHOWN_FIRST);
      rest = to - SHOWN_LAST;
      return [before, "0".repeat(rest - from - SHOWN_FIRST)];
    });
    digits = parts.join("") + digits.slice(rest);
  }
  return { digits: "0".repeat(digits.length), hits };
}
