import { BANK_NAMES, ISSUER_PREFIXES } from "./iin-table.js";

export const NETWORKS = [
  "unionpay",
  "visa",
  "mastercard",
  "amex",
  "jcb",
  "diners",
  "discover",
  "maestro",
  "mir",
] as const;
export type Network = (typeof NETWORKS)[number];

export const CARD_TYPES = ["debit", "credit", "semi-credit", "prepaid", "unknown"] as const;
export type CardType = (typeof CARD_TYPES)[number];

export interface Bank {
  readonly code: string;
  /** The bank's Chinese name. */
  readonly name: string;
}

export interface Issuer {
  readonly bank: Bank;
  readonly type: CardType;
  /** Whether the list knows this prefix with a number of this many digits. */
  readonly lengthMatches: boolean;
}

interface PrefixRow {
  readonly bank: Bank;
  readonly type: CardType;
  readonly length: number;
}

const LONGEST_PREFIX = 10;
const SHORTEST_PREFIX = 4;

let table: ReadonlyMap<string, readonly PrefixRow[]> | undefined;

/**
 * The issuer of a number, by the longest listed prefix; a prefix listed with the number's own length goes first.
 * Unknown is `null`, never invalid: domestic cards older than the 62 range carry prefixes that no list has whole.
 * @param iin the number's first digits, ten where it has them
 * @param length how many digits the whole number has
 */
export function findIssuer(iin: string, length: number): Issuer | null {
  table ??= readTable();
  let fallback: Issuer | null = null;
  for (let size = Math.min(iin.length, LONGEST_PREFIX); size >= SHORTEST_PREFIX; size--) {
    const rows = table.get(iin.slice(0, size));
    if (rows === undefined) continue;
    const exact = rows.find((row) => row.length === length);
    if (exact !== undefined) return { bank: exact.bank, type: exact.type, lengthMatches: true };
    const [first] = rows;
    if (first !== undefined) fallback ??= { bank: first.bank, type: first.type, lengthMatches: false };
  }
  return fallback;
}

interface NetworkRange {
  readonly network: Network;
  readonly from: string;
  readonly to: string;
  readonly lengths: readonly number[];
}

const range = (network: Network, from: string, to: string, lengths: readonly number[]): NetworkRange => ({
  network,
  from,
  to,
  lengths,
});
const UNIONPAY_LENGTHS = [14, 15, 16, 17, 18, 19];
const MAESTRO_LENGTHS = [12, 13, 14, 15, 16, 17, 18, 19];

/**
 * Prefix ranges of the networks and the lengths they issue (braintree/credit-card-type, 2026; historic lengths included).
 * The most specific range wins where several fit.
 */
const NETWORK_RANGES: readonly NetworkRange[] = [
  range("unionpay", "62", "62", UNIONPAY_LENGTHS),
  range("unionpay", "810", "817", UNIONPAY_LENGTHS),
  range("visa", "4", "4", [13, 16, 18, 19]),
  range("mastercard", "51", "55", [16]),
  range("mastercard", "2221", "2720", [16]),
  range("amex", "34", "34", [15]),
  range("amex", "37", "37", [15]),
  range("jcb", "2131", "2131", [15, 16, 17, 18, 19]),
  range("jcb", "1800", "1800", [15, 16, 17, 18, 19]),
  range("jcb", "3528", "3589", [16, 17, 18, 19]),
  range("diners", "300", "305", [14, 16, 19]),
  range("diners", "36", "36", [14, 16, 19]),
  range("diners", "38", "39", [14, 16, 19]),
  range("discover", "6011", "6011", [16, 19]),
  range("discover", "644", "649", [16, 19]),
  range("discover", "65", "65", [16, 19]),
  range("maestro", "493698", "493698", MAESTRO_LENGTHS),
  range("maestro", "50", "50", MAESTRO_LENGTHS),
  range("maestro", "56", "59", MAESTRO_LENGTHS),
  range("maestro", "63", "63", MAESTRO_LENGTHS),
  range("maestro", "67", "67", MAESTRO_LENGTHS),
  range("mir", "2200", "2204", [16, 17, 18, 19]),
];

export interface NetworkMatch {
  readonly network: Network;
  readonly lengthMatches: boolean;
}

/** The network of a number by its first digits, or `null` when no range has it. */
export function findNetwork(iin: string, length: number): NetworkMatch | null {
  let best: NetworkRange | null = null;
  for (const candidate of NETWORK_RANGES) {
    const prefix = iin.slice(0, candidate.from.length);
    if (prefix.length < candidate.from.length || prefix < candidate.from || prefix > candidate.to) continue;
    if (best === null || candidate.from.length > best.from.length) best = candidate;
  }
  return best === null ? null : { network: best.network, lengthMatches: best.lengths.includes(length) };
}

function readTable(): ReadonlyMap<string, readonly PrefixRow[]> {
  const banks = readBanks();
  const rows = new Map<string, PrefixRow[]>();
  for (const line of ISSUER_PREFIXES.trim().split("\n")) {
    const [code = "", type, length, ...prefixes] = line.split(" ");
    const row: PrefixRow = {
      bank: banks.get(code) ?? { code, name: code },
      type: type as CardType,
      length: Number(length),
    };
    for (const prefix of prefixes) {
      const known = rows.get(prefix);
      if (known === undefined) rows.set(prefix, [row]);
      else known.push(row);
    }
  }
  return rows;
}

/** By their codes. */
function readBanks(): ReadonlyMap<string, Bank> {
  return new Map(
    BANK_NAMES.trim()
      .split("\n")
      .map((line) => {
        const space = line.indexOf(" ");
        const code = line.slice(0, space);
        return [code, { code, name: line.slice(space + 1) }] as const;
      }),
  );
}
