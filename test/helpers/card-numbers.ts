import fc from "fast-check";

/** Issuer prefixes of several networks, each with a length it is issued with. */
const PREFIXES: readonly (readonly [prefix: string, length: number])[] = [
  ["622588", 16],
  ["622848", 19],
  ["95599", 19],
  ["625040", 16],
  ["4", 16],
  ["51", 16],
  ["37", 15],
  ["3528", 16],
  ["36", 14],
];

/** A made-up card number: the prefix, digits from the seed, and the digit that makes Luhn right. */
export function cardNumber(prefix = "622588", length = 16, seed = 1): string {
  let state = seed + 1;
  let digits = prefix;
  while (digits.length < length - 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    digits += (state >>> 16) % 10;
  }
  return digits + luhnDigit(digits);
}

/** Made-up numbers of all networks and lengths. */
export function cardNumbers(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...PREFIXES), fc.nat())
    .map(([[prefix, length], seed]) => cardNumber(prefix, length, seed));
}

/** The digit that completes `digits` (ISO/IEC 7812-1, Annex B); written apart from `src/domain/luhn.ts`, to test it. */
export function luhnDigit(digits: string): number {
  const DOUBLED = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
  const sum = [...digits]
    .reverse()
    .reduce((total, digit, index) => total + (index % 2 === 0 ? (DOUBLED[Number(digit)] ?? 0) : Number(digit)), 0);
  return (10 - (sum % 10)) % 10;
}
