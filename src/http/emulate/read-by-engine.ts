import type { CardField } from "../../domain/answer.js";
import type { CardEngine, EngineCard } from "../../domain/card-engine.js";
import { findIssuer } from "../../domain/iin.js";
import type { WireCard, WireField } from "../../providers/vendor-server.js";
import type { ReadPicture } from "./answers.js";
import { TYPE_WORDS } from "./type-words.js";

/** Has the embedded engine read the pictures; bank and type are those that the issuer table has for the number. */
export function readByEngine(engine: CardEngine): ReadPicture {
  return async ({ bytes }) => (await engine.read(bytes)).cards.map(toWireCard);
}

function toWireCard({ number, issueDate, expiryDate }: EngineCard): WireCard {
  const card: Partial<Record<CardField, WireField>> = {};
  if (issueDate !== null) card.issueDate = issueDate;
  if (expiryDate !== null) card.expiryDate = expiryDate;
  if (number === null) return card;
  card.number = number;
  const issuer = findIssuer(number.text.slice(0, 10), number.text.length);
  if (issuer === null) return card;
  const { confidence } = number;
  card.bank = { text: issuer.bank.name, confidence, keypoints: null };
  card.type = { text: TYPE_WORDS[issuer.type] ?? "", confidence, keypoints: null };
  return card;
}
