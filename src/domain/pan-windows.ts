import type { DigitChain } from "./digit-chains.js";
import { findIssuer, findNetwork } from "./iin.js";
import { isLuhnValid } from "./luhn.js";

/**
 * - `name`: names of files, folders, batches. A number counts wherever it stands: glued to letters, to a date, to another
 *   number. A false alarm costs little there, for a masked name can be led back.
 * - `text`: log lines, JSON, values in Redis. A number must stand by itself and be grouped as cards are, so that digests,
 *   base64url, fractions and clocks raise no alarm.
 */
export type PanLevel = "name" | "text";

/** Digits `from` to `to` of a chain, which stand at `start` to `end` of the text; ends exclusive. */
export interface PanWindow {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

/** How many digits a mask leaves to see on either side. */
export const SHOWN_FIRST = 6;
export const SHOWN_LAST = 4;

const SHORTEST = 13;
const LONGEST = 19;
const LONGEST_IIN = 10;
/** Lengths a number hidden among other digits can have; below them chance finds more than cards are issued. */
const HIDDEN_LENGTHS = [15, 16, 17, 18, 19];
/** Those it can have by its network alone, with no issuer listed. */
const COMMON_LENGTHS: ReadonlySet<number> = new Set([15, 16, 19]);
const DATE = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])/;
/** How numbers are printed: fours with a rest, and what Amex, Diners and UnionPay do besides. */
const CARD_SHAPES: ReadonlySet<string> = new Set([
  ..."1234567".split("").flatMap((rest) => [`4 4 4 ${rest}`, `4 4 4 4 ${rest}`]),
  "4 6 5",
  "4 6 4",
  "6 13",
  "6 10",
  "8 8",
]);
/** Each of these, and what each of them begins with. */
const SHAPE_BEGINNINGS: ReadonlySet<string> = new Set(
  [...CARD_SHAPES].flatMap((shape) => shape.split(" ").map((_, index, groups) => groups.slice(0, index + 1).join(" "))),
);
/** What begins with 1 is a clock in µs or ns, or a queue's id; JCB's historic numbers of 15 digits are the exception. */
const JCB_HISTORIC_LENGTH = 15;

/**
 * Card numbers in a chain: 13 to 19 digits of a known issuer or network that pass Luhn, or that fail it and have both a
 * listed prefix and its length. Candidates that overlap come as one window, which may be longer than 19 digits.
 * @param digits the chain's, or others in their place
 */
export function findWindows(chain: DigitChain, level: PanLevel, digits = chain.digits): readonly PanWindow[] {
  const found = [...placedNumbers(chain, level, digits)];
  if (level === "name") found.push(...hiddenNumbers(chain));
  return found.length < 2 ? found : merge(found);
}

/** Numbers that begin and end where groups do. */
function* placedNumbers(chain: DigitChain, level: PanLevel, digits: string): Generator<PanWindow> {
  const { groups } = chain;
  for (const [first, { from, start, separator }] of groups.entries()) {
    const isFraction = separator === ".";
    if (isNoFirstDigit(digits.charAt(from))) continue;
    if (level === "text" && (isFraction || (first === 0 && chain.gluedLeft))) continue;
    let shape = "";
    for (let last = first; last < groups.length; last++) {
      const group = groups[last];
      if (group === undefined) break;
      const to = group.from + group.digits.length;
      if (to - from > LONGEST) break;
      shape += last === first ? `${group.digits.length}` : ` ${group.digits.length}`;
      const end = group.start + group.digits.length;
      const isGlued = level === "text" && last === groups.length - 1 && chain.gluedRight;
      if (to - from >= SHORTEST && (last === first || CARD_SHAPES.has(shape)) && !isGlued) {
        if (isPlacedNumber(digits.slice(from, to))) yield { from, to, start, end };
      }
      if (!SHAPE_BEGINNINGS.has(shape)) break;
    }
  }
}

/** Numbers that begin or end inside a run of digits: at its head, at its tail, or after a date. Only good evidence counts. */
function* hiddenNumbers({ groups }: DigitChain): Generator<PanWindow> {
  for (const { from, start, digits } of groups) {
    const afterDate = DATE.exec(digits)?.[0].length ?? 0;
    for (const length of HIDDEN_LENGTHS) {
      if (length >= digits.length) break;
      for (const offset of new Set([0, afterDate, digits.length - length])) {
        if (!isHiddenNumber(digits.slice(offset, offset + length))) continue;
        yield { from: from + offset, to: from + offset + length, start: start + offset, end: start + offset + length };
      }
    }
  }
}

function isPlacedNumber(digits: string): boolean {
  if (isNoCard(digits)) return false;
  const issuer = findIssuer(digits.slice(0, LONGEST_IIN), digits.length);
  if (issuer?.lengthMatches === true) return true;
  return isLuhnValid(digits) && (issuer !== null || isOfNetwork(digits));
}

function isHiddenNumber(digits: string): boolean {
  if (!HIDDEN_LENGTHS.includes(digits.length) || isNoCard(digits) || !isLuhnValid(digits)) return false;
  if (COMMON_LENGTHS.has(digits.length) && isOfNetwork(digits)) return true;
  return findIssuer(digits.slice(0, LONGEST_IIN), digits.length)?.lengthMatches === true;
}

function isOfNetwork(digits: string): boolean {
  return findNetwork(digits.slice(0, LONGEST_IIN), digits.length)?.lengthMatches === true;
}

/** Nobody issues these. */
function isNoFirstDigit(digit: string): boolean {
  return digit === "0" || digit === "7";
}

/** Clocks, and numbers whose middle has been blanked. */
function isNoCard(digits: string): boolean {
  if (digits.startsWith("1") && digits.length !== JCB_HISTORIC_LENGTH) return true;
  return /^0*$/.test(digits.slice(SHOWN_FIRST, -SHOWN_LAST));
}

/** Windows that overlap become one; the rest keep their order. */
function merge(windows: readonly PanWindow[]): readonly PanWindow[] {
  const merged: PanWindow[] = [];
  for (const window of windows.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || window.from >= last.to) merged.push(window);
    else if (window.to > last.to) merged[merged.length - 1] = { ...last, to: window.to, end: window.end };
  }
  return merged;
}
