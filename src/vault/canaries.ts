import { readFile } from "node:fs/promises";
import { UsageError } from "../domain/errors.js";
import { maskDigits } from "../domain/pan.js";

/** A known number, found. */
export interface CanaryHit {
  readonly masked: string;
  /** Which of the canaries; tells hits apart without the number. */
  readonly canary: number;
  /** Where its first digit is. */
  readonly offset: number;
  /** With other characters between its digits, zero bytes among them: in UTF-16 and UTF-32, of either byte order, too. */
  readonly form: "plain" | "separated" | "reversed";
}

/** Numbers that were made up and planted: what finds one has found a leak, never a coincidence. */
export interface Canaries {
  readonly count: number;
  /** Every canary whose digits stand in the bytes, with at most three other characters (no letters) between two of them. */
  find(bytes: Buffer): readonly CanaryHit[];
}

/**
 * The runs of 12 to 19 digits in a file: a list of numbers, or a truth file.
 * @throws UsageError when there are none
 */
export async function loadCanaries(path: string): Promise<Canaries> {
  const text = await readFile(path, "utf8").catch(() => "");
  const numbers = text.match(/(?<![0-9])[0-9]{12,19}(?![0-9])/g) ?? [];
  if (numbers.length === 0) throw new UsageError(`${path} cannot be read, or holds no card number to look for`);
  return createCanaries(numbers);
}

export function createCanaries(numbers: readonly string[]): Canaries {
  const patterns = byTail(numbers);
  return { count: new Set(numbers).size, find: (bytes) => findAll(bytes, patterns) };
}

interface Pattern {
  readonly canary: number;
  readonly digits: string;
  readonly reversed: boolean;
}

/** As many last digits as are looked up: few enough for an exact number with one more. */
const TAIL_DIGITS = 12;
const TAIL_MODULUS = 10 ** TAIL_DIGITS;
const MAX_GAP = 3;
/** Where twelve digits stand together. */
const CHAIN = /[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){11}/g;
const ZERO = 0x30;

/** Numbers and their mirror images by their last twelve digits. */
function byTail(numbers: readonly string[]): ReadonlyMap<number, readonly Pattern[]> {
  const patterns = new Map<number, Pattern[]>();
  for (const [canary, number] of [...new Set(numbers)].entries()) {
    const mirrored = [...number].reverse().join("");
    for (const pattern of [
      { canary, digits: number, reversed: false },
      { canary, digits: mirrored, reversed: true },
    ]) {
      const tail = Number(pattern.digits.slice(-TAIL_DIGITS));
      const known = patterns.get(tail);
      if (known === undefined) patterns.set(tail, [pattern]);
      else known.push(pattern);
    }
  }
  return patterns;
}

/** The time does not depend on how many canaries there are. */
function findAll(bytes: Buffer, patterns: ReadonlyMap<number, readonly Pattern[]>): readonly CanaryHit[] {
  const hits: CanaryHit[] = [];
  const text = bytes.toString("latin1");
  const chain = new RegExp(CHAIN);
  for (let match = chain.exec(text); match !== null; match = chain.exec(text)) {
    chain.lastIndex = followChain(bytes, match.index, patterns, hits);
  }
  return hits;
}

/** Looks up the last twelve digits at each digit of a chain. @returns where the chain ends */
function followChain(
  bytes: Buffer,
  start: number,
  patterns: ReadonlyMap<number, readonly Pattern[]>,
  hits: CanaryHit[],
): number {
  let tail = 0;
  let digits = 0;
  let gap = 0;
  let at = start;
  for (; at < bytes.length && gap <= MAX_GAP; at++) {
    const byte = bytes[at] ?? 0;
    if (isLetter(byte)) break;
    if (!isDigit(byte)) {
      gap++;
      continue;
    }
    gap = 0;
    digits++;
    tail = (tail * 10 + byte - ZERO) % TAIL_MODULUS;
    for (const pattern of digits < TAIL_DIGITS ? [] : (patterns.get(tail) ?? [])) {
      const offset = startOf(bytes, at, pattern.digits, digits);
      if (offset !== null) hits.push(hit(pattern, offset, at));
    }
  }
  return at;
}

/** Where the digits that end at `end` begin, or null when they are others. `available` are all that stand together. */
function startOf(bytes: Buffer, end: number, digits: string, available: number): number | null {
  if (digits.length > available) return null;
  let at = end;
  for (let i = digits.length - 1; i >= 0; i--, at--) {
    while (!isDigit(bytes[at] ?? ZERO)) at--;
    if (bytes[at] !== digits.charCodeAt(i)) return null;
  }
  return at + 1;
}

function hit({ canary, digits, reversed }: Pattern, offset: number, end: number): CanaryHit {
  const apart = end - offset + 1 > digits.length;
  const number = reversed ? [...digits].reverse().join("") : digits;
  return { masked: maskDigits(number), canary, offset, form: reversed ? "reversed" : apart ? "separated" : "plain" };
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
