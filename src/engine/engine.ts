/**
 * How a picture becomes a reading: decode, locate the cards, look closely at each, read its lines, decode the texts.
 * Pure but for the nets: the same bytes give the same reading.
 */
import type { EngineCard, EngineReading } from "../domain/card-engine.js";
import type { Quad } from "../domain/geometry.js";
import { type CardPlace, locateCards } from "./locate.js";
import { OTHER_LOOKS, SIDEWAYS } from "./looks.js";
import { decodePicture, type Picture } from "./picture.js";
import { directionOf, measureQuality } from "./quality.js";
import { lookClosely, reversed } from "./rectify.js";
import type { Models } from "./session.js";
import { inPage, onPicture, type ReadNumber, readDates, readNumber } from "./texts.js";

/** A number less sure than this is tried the other way round, where the second look is less sure than that of the way up. */
const DOUBT = 0.5;
const SURE_WAY_UP = 0.9;
/** A card with the features of its texts, before they are left out for the port. */
export interface ReadCard extends EngineCard {
  readonly number: ReadNumber | null;
}

/**
 * Reads one encoded picture. Where no number is sure, other looks at it are tried, and the surest reading is kept.
 * @throws EngineError `engine-image` when the bytes cannot be decoded
 */
export async function readPicture(models: Models, bytes: Uint8Array): Promise<EngineReading> {
  const picture = await decodePicture(bytes);
  const places = await locateCards(models.locator, picture);
  let cards = await readPlaces(models, picture, places);
  for (const look of OTHER_LOOKS) {
    if (surest(cards) >= DOUBT) return { cards };
    const others = await readPlaces(models, picture, look({ places, lines: linesOf(picture, cards) }));
    if (surest(others) > surest(cards)) cards = completed(others, cards);
  }
  for (const look of SIDEWAYS) {
    // Nothing reads this way: the first look may have taken a side for the top.
    if (surest(cards) > 0) return { cards };
    const others = await readPlaces(models, picture, look({ places, lines: [] }));
    if (surest(others) > 0) return { cards: others };
  }
  return { cards };
}

function linesOf(picture: Picture, cards: readonly ReadCard[]): readonly Quad[] {
  return cards.flatMap(({ number }) => (number === null ? [] : [onPicture(picture, number.keypoints)]));
}

/** A single card read anew, with what only the earlier look saw of it. */
function completed(cards: readonly ReadCard[], earlier: readonly ReadCard[]): readonly ReadCard[] {
  const [card, ...others] = cards;
  const [before, ...more] = earlier;
  if (card === undefined || before === undefined || others.length + more.length > 0) return cards;
  const dates = card.issueDate === null && card.expiryDate === null ? before : card;
  const { issueDate, expiryDate } = dates;
  return [{ ...card, issueDate, expiryDate, quad: before.quad ?? card.quad }];
}

function surest(cards: readonly ReadCard[]): number {
  return Math.max(0, ...cards.map(({ number }) => number?.confidence ?? 0));
}

/** The cards at these places; left out is where neither a number is nor clearly a card. */
async function readPlaces(
  models: Models,
  picture: Picture,
  places: readonly CardPlace[],
): Promise<readonly ReadCard[]> {
  const cards: ReadCard[] = [];
  for (const place of places) {
    const card = await readCard(models, picture, place);
    if (card.number !== null || place.outline.length > 0) cards.push(card);
  }
  return cards;
}

/** Reads the lines that the second look finds; a doubtful number is tried the other way round, and the surer kept. */
async function readCard(models: Models, picture: Picture, place: CardPlace): Promise<ReadCard> {
  let lines = await lookClosely(models.closeup, picture, place);
  let number = lines.number === null ? null : await readNumber(models, picture, lines.number);
  const doubtful = lines.wayUp < SURE_WAY_UP && (number?.confidence ?? 0) < DOUBT;
  if (lines.number !== null && doubtful) {
    const other = reversed(lines);
    const turned = other.number === null ? null : await readNumber(models, picture, other.number);
    if ((turned?.confidence ?? 0) > (number?.confidence ?? 0)) {
      lines = other;
      number = turned;
    }
  }
  const dates = await readDates(models, picture, lines.dates);
  const line = lines.number?.quad ?? null;
  const placed = line ?? lines.card;
  return {
    number,
    ...dates,
    quad: lines.card === null ? null : inPage(picture, lines.card),
    direction: placed === null ? null : directionOf(inPage(picture, placed)),
    quality: measureQuality(picture, line, lines.card),
  };
}
