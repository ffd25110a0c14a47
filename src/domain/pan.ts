import { inspect } from "node:util";
import { isLuhnValid } from "./luhn.js";

const SHORTEST = 12;
const LONGEST = 19;
const LONGEST_IIN = 10;

/** The raw text of every `Pan`, out of reach of property access, JSON and inspection. Read only by `revealPan`. */
const rawTexts = new WeakMap<Pan, string>();

/**
 * A card number as somebody read it: a type that prints masked wherever it ends up (I8).
 * Keeps the text as it came, so that a stored answer can be judged anew by later rules.
 */
export class Pan {
  /** How many digits; 0 when nothing was read. */
  readonly length: number;
  /** Something besides digits, spaces and dashes was in the text (O for 0, a second number, …). */
  readonly hasForeignCharacters: boolean;
  readonly luhn: boolean;
  /** Six first and four last digits around asterisks, one truncation for every length (PCI FAQ 1091). */
  readonly masked: string;

  constructor(raw: string) {
    const text = raw.normalize("NFKC");
    const digits = text.replace(/\D/g, "");
    rawTexts.set(this, raw);
    this.length = digits.length;
    this.hasForeignCharacters = /[^\d\s\u2010-\u2015\u2212-]/.test(text.trim());
    this.luhn = isLuhnValid(digits);
    this.masked = maskDigits(digits);
  }

  get isCardLength(): boolean {
    return this.length >= SHORTEST && this.length <= LONGEST;
  }

  /** The issuer prefix: eight digits by ISO/IEC 7812-1, ten because rural banks in China are told apart by that many. */
  get iin(): string {
    return revealPan(this).slice(0, LONGEST_IIN);
  }

  equals(other: Pan): boolean {
    return revealPan(this) === revealPan(other);
  }

  toString(): string {
    return this.masked;
  }

  toJSON(): string {
    return this.masked;
  }

  [inspect.custom](): string {
    return `Pan(${this.masked})`;
  }
}

/** The digits in the clear. `vault` alone may import this (scripts/check-layers.mjs sees to it). */
export function revealPan(pan: Pan): string {
  return revealRawPan(pan).normalize("NFKC").replace(/\D/g, "");
}

/** The text exactly as the provider gave it. `vault` alone may import this. */
export function revealRawPan(pan: Pan): string {
  return rawTexts.get(pan) ?? "";
}

/**
 * First six and last four digits, asterisks between; where that would show nearly all of a short number, asterisks only.
 * @example maskDigits("6225880123456789") === "622588******6789"
 */
export function maskDigits(digits: string): string {
  if (digits.length < SHORTEST) return "*".repeat(digits.length);
  return `${digits.slice(0, 6)}${"*".repeat(digits.length - 10)}${digits.slice(-4)}`;
}
