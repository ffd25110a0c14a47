import type { Answer, AnswerCard } from "../domain/answer.js";
import { type CardType, findIssuer, findNetwork } from "../domain/iin.js";
import type { Pan } from "../domain/pan.js";
import type { Reading, ReadingCard } from "../domain/reading.js";
import { isSameBank } from "./bank-name.js";
import { normalizeDates } from "./card-dates.js";

/** Each vendor's words for the four types; matched by what they contain, the longer first. */
const TYPE_WORDS: readonly (readonly [RegExp, CardType])[] = [
  [/准贷记|semi|^scc$/i, "semi-credit"],
  [/预付|储值|prepaid|^pc$/i, "prepaid"],
  [/借记|储蓄|debit|^dc$/i, "debit"],
  [/贷记|信用|credit|^cc$/i, "credit"],
];

/**
 * Turns what a provider said into digits, closed words and months. The number's prefix adds the network, and the code of
 * the bank that the provider named; what nobody gave stays null.
 */
export function normalizeAnswer(answer: Answer, now: Date): Reading {
  return { provider: answer.provider, cards: answer.cards.map((card) => normalizeCard(card, now)) };
}

function normalizeCard(card: AnswerCard, now: Date): ReadingCard {
  const number = card.number !== null && card.number.length > 0 ? card.number : null;
  return {
    number,
    bank: normalizeBank(card, number),
    network: number === null ? null : (findNetwork(number.iin, number.length)?.network ?? null),
    type: normalizeType(card.type),
    ...normalizeDates(nonEmpty(card.issueDate), nonEmpty(card.expiryDate), now),
    confidence: card.confidence,
    keypoints: card.keypoints,
  };
}

function normalizeBank(card: AnswerCard, number: Pan | null): ReadingCard["bank"] {
  const name = nonEmpty(card.bankName);
  if (name === null) return null;
  const listed = number === null ? null : (findIssuer(number.iin, number.length)?.bank ?? null);
  // The code of a bank that the provider did not name would contradict the name beside it.
  const code = listed !== null && isSameBank(name, listed.name) ? listed.code : null;
  return { name, code: nonEmpty(card.bankCode) ?? code };
}

export function normalizeType(text: string | null): CardType {
  const words = nonEmpty(text);
  if (words === null) return "unknown";
  return TYPE_WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? "unknown";
}

function nonEmpty(text: string | null): string | null {
  return text === null || text.trim() === "" ? null : text.trim();
}
