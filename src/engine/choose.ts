import { findIssuer, findNetwork, type Network } from "../domain/iin.js";
import { isLuhnValid } from "../domain/luhn.js";
import type { Candidate } from "./decode.js";

const SHORTEST = 12;
const LONGEST = 19;
/** Most card numbers have this many digits or more. */
const USUAL_LENGTH = 16;
const USUAL_LENGTHS = new Set([16, 19]);
/** Others have issued shorter numbers too, but so seldom that one is taken for the piece of a line. */
const SHORT_NETWORKS = new Set<Network>(["amex", "diners"]);
/** Bonuses in nats, added to a candidate's log-probability for the choice alone: its confidence stays its own. */
const LUHN_BONUS = 4.4;
const LENGTH_BONUS = 3;
const ISSUER_BONUS = 2.5;

/** A number chosen among the reader's candidates. */
export interface ChosenNumber {
  readonly digits: string;
  readonly logMass: number;
  /** How much more log-probability it has than the next best text; negative when it was not the reader's first. */
  readonly margin: number;
  readonly luhn: boolean;
  /** It is as long as its issuer's numbers are known to be, or its network's now; of an unknown prefix, as cards usually are. */
  readonly lengthFits: boolean;
}

/** Whether a number is likely a piece of one: a line cut at an end, or torn. */
export function isPiece({ text, lengthFits }: { readonly text: string; readonly lengthFits: boolean }): boolean {
  return !lengthFits && text.length < USUAL_LENGTH;
}

/**
 * Picks the likeliest card number: the reader's masses, nudged towards valid check digits, listed issuers and the lengths
 * that these are known to use. Null when no candidate has 12 to 19 digits.
 */
export function chooseNumber(candidates: readonly Candidate[]): ChosenNumber | null {
  let best: Candidate | null = null;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    if (!/^\d+$/.test(candidate.text) || candidate.text.length < SHORTEST || candidate.text.length > LONGEST) continue;
    const score = candidate.logMass + plausibility(candidate.text);
    if (score <= bestScore) continue;
    best = candidate;
    bestScore = score;
  }
  if (best === null) return null;
  const chosen = best;
  const rival = candidates.find((candidate) => candidate.text !== chosen.text);
  return {
    digits: chosen.text,
    logMass: chosen.logMass,
    margin: chosen.logMass - (rival?.logMass ?? chosen.logMass - 30),
    luhn: isLuhnValid(chosen.text),
    lengthFits: lengthFits(chosen.text),
  };
}

function plausibility(digits: string): number {
  const listed = findIssuer(digits.slice(0, 10), digits.length)?.lengthMatches === true;
  return (lengthFits(digits) ? LENGTH_BONUS : 0) + (listed ? ISSUER_BONUS : 0) + (isLuhnValid(digits) ? LUHN_BONUS : 0);
}

function lengthFits(digits: string): boolean {
  const { length } = digits;
  const prefix = digits.slice(0, 10);
  const issuer = findIssuer(prefix, length);
  if (issuer !== null) return issuer.lengthMatches;
  const network = findNetwork(prefix, length);
  if (network !== null) return network.lengthMatches && (length >= USUAL_LENGTH || SHORT_NETWORKS.has(network.network));
  // ISO/IEC 7812 leaves 0 and 1 to others than banks.
  return /^[2-9]/.test(digits) && USUAL_LENGTHS.has(length);
}
