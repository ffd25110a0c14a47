import { findIssuer, findNetwork, type Network } from "../domain/iin.js";
import type { Pan } from "../domain/pan.js";
import type { JudgedReading, Judgement, Reading, ReadingCard, Reason, Thresholds } from "../domain/reading.js";
import { isSameBank } from "./bank-name.js";

/** Networks that issue no number without a valid check digit; on UnionPay's older numbers it proves nothing. */
const ALWAYS_LUHN: ReadonlySet<Network> = new Set(["visa", "mastercard", "amex", "jcb", "diners", "discover"]);

/** Reasons that leave nothing to look at; any other reason sends the page to a person. */
const REJECTING: ReadonlySet<Reason> = new Set(["no-card", "number-missing", "number-length"]);

/** A vendor that gives one card a picture runs the numbers of several together; two have this many digits at least. */
const SHORTEST_OF_TWO = 24;

/**
 * Accept, review or reject: from the readings of one page, first provider first. Luhn is evidence, not a gate, and never
 * repairs a number. Two independent providers that give the same digits with valid check digits are sure together.
 */
export function judge(readings: readonly JudgedReading[], thresholds: Thresholds): Judgement {
  const [first, ...others] = readings;
  if (first === undefined) return { verdict: "rejected", reasons: ["no-card"] };
  const reasons = new Set(judgeReading(first.reading, thresholds));
  for (const other of others) {
    if (first.cardsPerImage === "one" && other.reading.cards.length > 1) reasons.add("several-cards");
    compare(first, other, reasons);
  }
  return { verdict: verdictOf(first.reading, reasons, thresholds), reasons: [...reasons] };
}

function judgeReading(reading: Reading, thresholds: Thresholds): Reason[] {
  if (reading.cards.length === 0) return ["no-card"];
  return reading.cards.flatMap((card) => judgeCard(card, thresholds[reading.provider]));
}

function judgeCard(card: ReadingCard, threshold: number): Reason[] {
  const { number } = card;
  if (number === null) return ["number-missing"];
  if (number.length >= SHORTEST_OF_TWO) return ["several-cards"];
  if (!number.isCardLength) return ["number-length"];
  const reasons: Reason[] = [];
  const issuer = findIssuer(number.iin, number.length);
  const network = findNetwork(number.iin, number.length);
  // An issuer's own lengths say more than its network's.
  const known = issuer ?? network;
  if (number.hasForeignCharacters) reasons.push("number-foreign-characters");
  if (!number.luhn) reasons.push("luhn");
  if (known === null) reasons.push("issuer-unknown");
  else if (!known.lengthMatches) reasons.push("length-unusual");
  const confidence = card.confidence.number;
  if (confidence === undefined) reasons.push("confidence-missing");
  else if (confidence < threshold) reasons.push("confidence-low");
  if (card.bank !== null && issuer !== null && !isSameBank(card.bank.name, issuer.bank.name))
    reasons.push("bank-mismatch");
  return reasons;
}

/** A second opinion takes the doubt away where it gives the same digits, and adds one where it gives others. */
function compare(first: JudgedReading, other: JudgedReading, reasons: Set<Reason>): void {
  const mine = numbersOf(first.reading);
  const its = numbersOf(other.reading);
  if (mine.length === 0 || its.length === 0) return;
  const both = mine.filter((number) => has(its, number));
  // Who gives one card a picture does not deny the others.
  const denies = ({ cardsPerImage }: JudgedReading, numbers: readonly Pan[]) =>
    cardsPerImage === "many" && numbers.length > both.length;
  if (both.length === 0 || denies(other, mine) || denies(first, its)) {
    reasons.add("providers-disagree");
  } else if (both.length === first.reading.cards.length && both.every(({ luhn }) => luhn)) {
    for (const doubt of DISPELLED) reasons.delete(doubt);
  }
}

/** Doubts about a number that two providers who give the same one have no more. */
const DISPELLED = ["confidence-low", "confidence-missing", "issuer-unknown", "bank-mismatch"] as const;

function numbersOf({ cards }: Reading): readonly Pan[] {
  return cards.flatMap(({ number }) => (number === null ? [] : [number]));
}

function has(numbers: readonly Pan[], wanted: Pan): boolean {
  return numbers.some((number) => number.equals(wanted));
}

function verdictOf(reading: Reading, reasons: ReadonlySet<Reason>, thresholds: Thresholds): Judgement["verdict"] {
  if (reasons.size === 0) return "accepted";
  const threshold = thresholds[reading.provider];
  return reading.cards.every((card) => isUnreadable(card) || isMisread(card, threshold)) ? "rejected" : "review";
}

function isUnreadable(card: ReadingCard): boolean {
  return judgeCard(card, 0).some((reason) => REJECTING.has(reason));
}

/** A failed check digit on a network that always has a valid one, from a provider that is not sure either. */
function isMisread({ number, confidence }: ReadingCard, threshold: number): boolean {
  if (number === null || number.luhn || number.length >= SHORTEST_OF_TWO) return false;
  const network = findNetwork(number.iin, number.length)?.network;
  return network !== undefined && ALWAYS_LUHN.has(network) && (confidence.number ?? 0) < threshold;
}
