import { findIssuer, findNetwork, type Network } from "../domain/iin.js";
import type { JudgedReading, Judgement, Reading, ReadingCard, Reason, Thresholds } from "../domain/reading.js";
import { isSameBank } from "./bank-name.js";

/** Networks that issue no number without a valid check digit; on UnionPay's older numbers it proves nothing. */
const ALWAYS_LUHN: ReadonlySet<Network> = new Set(["visa", "mastercard", "amex", "jcb", "diners", "discover"]);

/** Reasons that leave nothing to look at; any other reason sends the page to a person. */
const REJECTING: ReadonlySet<Reason> = new Set(["no-card", "number-missing", "number-length"]);

/**
 * Accept, review or reject: from the readings of one page, first provider first. Luhn is evidence, not a gate, and never
 * repairs a number. Two independent providers that give the same digits with a valid check digit are sure together.
 */
export function judge(readings: readonly JudgedReading[], thresholds: Thresholds): Judgement {
  const [first, ...others] = readings;
  if (first === undefined) return { verdict: "rejected", reasons: ["no-card"] };
  const reasons = new Set(judgeReading(first.reading, thresholds));
  if (first.cardsPerImage === "one" && others.some((other) => other.reading.cards.length > 1))
    reasons.add("several-cards");
  for (const other of others) compare(first.reading, other.reading, reasons);
  return { verdict: verdictOf(first.reading, reasons, thresholds), reasons: [...reasons] };
}

function judgeReading(reading: Reading, thresholds: Thresholds): Reason[] {
  if (reading.cards.length === 0) return ["no-card"];
  return reading.cards.flatMap((card) => judgeCard(card, thresholds[reading.provider]));
}

function judgeCard(card: ReadingCard, threshold: number): Reason[] {
  const { number } = card;
  if (number === null) return ["number-missing"];
  // A vendor that gives one card a picture runs the numbers of several together.
  if (number.length >= 24) return ["several-cards"];
  if (!number.isCardLength) return ["number-length"];
  const reasons: Reason[] = [];
  const issuer = findIssuer(number.iin, number.length);
  const network = findNetwork(number.iin, number.length);
  if (number.hasForeignCharacters) reasons.push("number-foreign-characters");
  if (!number.luhn) reasons.push("luhn");
  if (issuer === null && network === null) reasons.push("issuer-unknown");
  else if (!(issuer?.lengthMatches ?? false) && !(issuer === null && network?.lengthMatches))
    reasons.push("length-unusual");
  const confidence = card.confidence.number;
  if (confidence === undefined) reasons.push("confidence-missing");
  else if (confidence < threshold) reasons.push("confidence-low");
  if (card.bank !== null && issuer !== null && !isSameBank(card.bank.name, issuer.bank.name))
    reasons.push("bank-mismatch");
  return reasons;
}

/** A second opinion takes the doubt away where it gives the same digits, and adds one where it gives others. */
function compare(first: Reading, other: Reading, reasons: Set<Reason>): void {
  const mine = first.cards[0]?.number ?? null;
  const its = other.cards[0]?.number ?? null;
  if (mine === null || its === null) return;
  if (!mine.equals(its)) {
    reasons.add("providers-disagree");
    return;
  }
  if (!mine.luhn) return;
  for (const doubt of ["confidence-low", "confidence-missing", "issuer-unknown", "bank-mismatch"] as const)
    reasons.delete(doubt);
}

function verdictOf(reading: Reading, reasons: ReadonlySet<Reason>, thresholds: Thresholds): Judgement["verdict"] {
  if (reasons.size === 0) return "accepted";
  const unreadable = reading.cards.every((card) => judgeCard(card, 0).some((reason) => REJECTING.has(reason)));
  if (unreadable) return "rejected";
  return reading.cards.every((card) => isMisread(card, thresholds[reading.provider])) ? "rejected" : "review";
}

/** A failed check digit on a network that always has a valid one, from a provider that is not sure either. */
function isMisread(card: ReadingCard, threshold: number): boolean {
  if (card.number === null || card.number.luhn) return false;
  const network = findNetwork(card.number.iin, card.number.length)?.network;
  const unsure = (card.confidence.number ?? 0) < threshold;
  return network !== undefined && ALWAYS_LUHN.has(network) && unsure;
}
