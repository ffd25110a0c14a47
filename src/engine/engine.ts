/**
 * How a picture becomes a reading: decode, locate the cards, look closely at each, read its lines, decode the texts.
 * Pure but for the nets: the same bytes give the same reading.
 */
import type { EngineCard, EngineReading } from "../domain/card-engine.js";
import type { Quad } from "../domain/geometry.js";
import { isPiece } from "./choose.js";
import { type CardPlace, locateCards } from "./locate.js";
import { OTHER_LOOKS, partsAround, SIDEWAYS } from "./looks.js";
import { decodePicture, type Picture } from "./picture.js";
import { directionOf, measureQuality } from "./quality.js";
import { type CardLines, lookClosely, turnedRound } from "./rectify.js";
import type { Models } from "./session.js";
import { inPage, type ReadNumber, readDates, readNumber } from "./texts.js";

/** A number less sure than this is tried the other way round, where the second look is less sure than that of the way up. */
const DOUBT = 0.8;
const SURE_WAY_UP = 0.9;
/** A card with the features of its texts, before they are left out for the port. */
export interface ReadCard extends EngineCard {
  readonly number: ReadNumber | null;
}

/** A card after a closer look, its dates not read yet. */
interface SeenCard {
  readonly lines: CardLines;
  readonly number: ReadNumber | null;
}

/**
 * Reads one encoded picture. Where no number is sure, other looks at it are tried, and the surest reading is kept.
 * @throws EngineError `engine-image` when the bytes cannot be decoded
 */
export async function readPicture(models: Models, bytes: Uint8Array): Promise<EngineReading> {
  const picture = await decodePicture(bytes);
  const places = await locateCards(models.locator, picture);
  const first = await lookAt(models, picture, places);
  let seen = first;
  for (const look of OTHER_LOOKS) {
    if (!isDoubtful(seen)) break;
    seen = surer(seen, await lookAt(models, picture, look({ places, lines: numberLines(seen) })));
  }
  for (const part of partsAround(places)) {
    if (!isDoubtful(seen)) break;
    seen = surer(seen, await lookAt(models, picture, await locateCards(models.locator, picture, part)));
  }
  if (surest(seen) > 0) return { cards: await readCards(models, picture, seen, first) };
  for (const look of SIDEWAYS) {
    // Nothing reads this way: the first look may have taken a side for the top.
    const others = await lookAt(models, picture, look({ places, lines: [] }));
    if (surest(others) > 0) return { cards: await readCards(models, picture, others, others) };
  }
  return { cards: await readCards(models, picture, first, first) };
}

/** Whether no number is sure, or the surest is so short that the line must have been cut. */
function isDoubtful(cards: readonly SeenCard[]): boolean {
  const best = surest(cards);
  return best < DOUBT || cards.some(({ number }) => number?.confidence === best && isPiece(number));
}

function numberLines(cards: readonly SeenCard[]): readonly Quad[] {
  return cards.flatMap(({ lines, number }) => (number === null || lines.number === null ? [] : [lines.number.quad]));
}

function surer(seen: readonly SeenCard[], others: readonly SeenCard[]): readonly SeenCard[] {
  return surest(others) > surest(seen) ? others : seen;
}

function surest(cards: readonly SeenCard[]): number {
  return Math.max(0, ...cards.map(({ number }) => number?.confidence ?? 0));
}

/** The cards at these places; left out is where neither a number is nor clearly a card. */
async function lookAt(models: Models, picture: Picture, places: readonly CardPlace[]): Promise<readonly SeenCard[]> {
  const cards: SeenCard[] = [];
  for (const place of places) {
    const card = await lookAtCard(models, picture, place);
    if (card.number !== null || place.outline.length > 0) cards.push(card);
  }
  return cards;
}

/** Reads the number on the line that the second look finds; a doubtful one is tried the other way round, and the surer kept. */
async function lookAtCard(models: Models, picture: Picture, place: CardPlace): Promise<SeenCard> {
  const lines = await lookClosely(models.closeup, picture, place);
  if (lines.number === null) return { lines, number: null };
  const number = await readNumber(models, picture, lines.number);
  if (lines.wayUp >= SURE_WAY_UP || (number?.confidence ?? 0) >= DOUBT) return { lines, number };
  const other = turnedRound(lines);
  const turned = other.number === null ? null : await readNumber(models, picture, other.number);
  return (turned?.confidence ?? 0) > (number?.confidence ?? 0) ? { lines: other, number: turned } : { lines, number };
}

/** Reads the rest. Of a single card looked at anew, the first look may have seen what the later did not. */
async function readCards(
  models: Models,
  picture: Picture,
  seen: readonly SeenCard[],
  first: readonly SeenCard[],
): Promise<readonly ReadCard[]> {
  const [before] = seen !== first && seen.length === 1 && first.length === 1 ? first : [];
  const cards: ReadCard[] = [];
  for (const { lines, number } of seen) {
    let dates = await readDates(models, picture, lines.dates);
    if (before !== undefined && dates.issueDate === null && dates.expiryDate === null) {
      dates = await readDates(models, picture, before.lines.dates);
    }
    const line = lines.number?.quad ?? null;
    const placed = line ?? lines.card;
    const quad = before?.lines.card ?? lines.card;
    cards.push({
      number,
      ...dates,
      quad: quad === null ? null : inPage(picture, quad),
      direction: placed === null ? null : directionOf(inPage(picture, placed)),
      quality: measureQuality(picture, line, lines.card),
    });
  }
  return cards;
}
