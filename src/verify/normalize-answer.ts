import type { Answer, AnswerCard } from "../domain/answer.js";
import { type CardType, findIssuer, findNetwork } from "../domain/iin.js";
import type { Reading, ReadingCard } from "../domain/reading.js";
import { normalizeDates } from "./card-dates.js";

/** Each vendor's words for the four types; matched by what they contain, the longer first. */
const TYPE_WORDS: readonly (readonly [RegExp, CardType])[] = [
  [/准贷记|semi/i, "semi-credit"],
  [/预付|储值|prepaid|^pc$/i, "prepaid"],
  [/借记|储蓄|debit|^dc$/i, "debit"],
  [/贷记|信用|credit|^cc$/i, "credit"],
];

/**
 * Turns what a provider said into digits, closed words and months. Bank code, network and (where the provider is
 * silent) nothing else come from the number's prefix; what nobody gave stays null.
 */
export function normalizeAnswer(answer: Answer, now: Date): Reading {
  return { provider: answer.provider, cards: answer.cards.map((card) => normalizeCard(card, now)) };
}

function normalizeCard(card: AnswerCard, now: Date): ReadingCard {
  const number = card.number !== null && card.number.length > 0 ? card.number : null;
  const issuer = number === null ? null : findIssuer(number.iin, number.length);
  const bankName = nonEmpty(card.bankName);
  return {
    number,
    bank: bankName === null ? null : { name: bankName, code: nonEmpty(card.bankCode) ?? issuer?.bank.code ?? null },
    network: number === null ? null : (findNetwork(number.iin, number.length)?.network ?? null),
    type: normalizeType(card.type),
    ...normalizeDates(nonEmpty(card.issueDate), nonEmpty(card.expiryDate), now),
    confidence: card.confidence,
    keypoints: card.keypoints,
  };
}

export function normalizeType(text: string | null): CardType {
  const words = nonEmpty(text);
  if (words === null) return "unknown";
  return TYPE_WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? "unknown";
}

function nonEmpty(text: string | null): string | null {
  return text === null || text.trim() === "" ? null : text.trim();
}
