/**
 * How a picture becomes a reading: decode, locate the cards, look closely at each, read its lines, decode the texts.
 * Pure but for the nets: the same bytes give the same reading.
 */
import type { EngineCard, EngineReading, EngineText } from "../domain/card-engine.js";
import type { Point, Quad } from "../domain/geometry.js";
import { chooseNumber } from "./choose.js";
import { confidenceOf, discounted, type Features } from "./confidence.js";
import { type CardMonth, chooseMonth } from "./dates.js";
import { beamSearch, DIGITS, readPlainly } from "./decode.js";
import { type CardPlace, locateCards } from "./locate.js";
import { OTHER_LOOKS, SIDEWAYS } from "./looks.js";
import { decodePicture, type Picture } from "./picture.js";
import { directionOf, measureQuality } from "./quality.js";
import { type LineScores, readDateLine, readNumberLine } from "./read.js";
import { type DateLine, lookClosely, type PlacedLine, regrown, reversed } from "./rectify.js";
import type { Models } from "./session.js";

/** A number less sure than this is tried the other way round, where the second look is less sure than that of the way up. */
const DOUBT = 0.5;
const SURE_WAY_UP = 0.9;
/** A date less likely than this is not reported. */
const LEAST_DATE = 0.02;
/** A date whose log-probability is over this needs no other cut. */
const SURE_DATE = Math.log(0.5);
/** Further out at both ends, taller, and moved down, all in heights of the line as found. */
const OTHER_DATE_CUTS = [
  { ends: 0.2, height: 0.5, down: 0 },
  { ends: 0.7, height: 0.2, down: 0 },
  { ends: 0, height: 0, down: 0.2 },
  { ends: 1, height: 1, down: 0.1 },
];

/** A number with what its confidence was made of, for calibration. */
export interface ReadNumber extends EngineText {
  readonly features: Features;
  readonly luhn: boolean;
  readonly lengthFits: boolean;
}

interface ReadDate extends EngineText {
  readonly month: CardMonth;
  readonly line: DateLine;
  readonly features: Features;
}

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

function linesOf({ scale }: Picture, cards: readonly ReadCard[]): readonly Quad[] {
  const back = (p: Point): Point => ({ x: p.x / scale.x, y: p.y / scale.y });
  return cards.flatMap(({ number }) => (number === null ? [] : [mapQuad(number.keypoints, back)]));
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

async function readNumber(models: Models, picture: Picture, line: PlacedLine): Promise<ReadNumber | null> {
  const scores = await readNumberLine(models.reader, picture, line.quad);
  const chosen = chooseNumber(beamSearch(scores.mean, DIGITS));
  if (chosen === null) return null;
  const features = featuresOf(scores, chosen.digits, { ...chosen, quality: line.quality });
  const { digits, luhn, lengthFits } = chosen;
  const { number: curve, luhnPenalty, lengthPenalty } = models.settings;
  // What does not add up lowers the confidence; what does, never raises it.
  const factor = (luhn ? 1 : luhnPenalty) * (lengthFits ? 1 : lengthPenalty);
  const confidence = discounted(confidenceOf(features, curve), factor);
  return { text: digits, confidence, keypoints: inPage(picture, line.quad), features, luhn, lengthFits };
}

function featuresOf(
  scores: LineScores,
  text: string,
  known: { readonly logMass: number; readonly margin: number; readonly quality: number },
): Features {
  const plain = readPlainly(scores.mean);
  const agreeing = scores.single.filter((single) => readPlainly(single).text === text).length;
  return {
    logMass: known.logMass,
    margin: known.margin,
    quality: known.quality,
    leastPeak: plain.text === text ? plain.leastPeak : 0,
    agreement: agreeing / scores.single.length,
  };
}

/**
 * The surest two dates, the earlier one as issue date. A single one is the expiry date, which is what cards show when they
 * show one, unless the second look saw that in another place, where nothing could be read.
 */
async function readDates(
  models: Models,
  picture: Picture,
  lines: readonly DateLine[],
): Promise<{ issueDate: EngineText | null; expiryDate: EngineText | null }> {
  const read: ReadDate[] = [];
  for (const line of lines) {
    const date = await readDate(models, picture, line);
    if (date !== null) read.push(date);
  }
  const [first, second] = read.sort((a, b) => b.confidence - a.confidence);
  if (first === undefined) return { issueDate: null, expiryDate: null };
  if (second === undefined || second.month.ordinal === first.month.ordinal) {
    const unread = lines.some(({ kind, quad }) => kind === "expiry" && quad !== first.line.quad);
    const isIssue = first.line.kind === "issue" && unread;
    return isIssue ? { issueDate: first, expiryDate: null } : { issueDate: null, expiryDate: first };
  }
  const inOrder = first.month.ordinal < second.month.ordinal;
  return inOrder ? { issueDate: first, expiryDate: second } : { issueDate: second, expiryDate: first };
}

/** The likeliest date on a line. A mask as small as a date's misses some of it now and then: an unsure one is cut larger and moved. */
async function readDate(models: Models, picture: Picture, line: DateLine): Promise<ReadDate | null> {
  let best = await readDateCut(models, picture, line);
  for (const { ends, height, down } of OTHER_DATE_CUTS) {
    if (best !== null && best.features.logMass > SURE_DATE) return best;
    const other = await readDateCut(models, picture, { ...line, quad: regrown(line.quad, ends, height, down) });
    if (other !== null && other.features.logMass > (best?.features.logMass ?? Math.log(LEAST_DATE))) best = other;
  }
  return best;
}

async function readDateCut(models: Models, picture: Picture, line: DateLine): Promise<ReadDate | null> {
  const scores = await readDateLine(models.reader, picture, line.quad);
  const chosen = chooseMonth(beamSearch(scores.mean));
  if (chosen === null || chosen.logMass < Math.log(LEAST_DATE)) return null;
  const features = featuresOf(scores, chosen.month.text, { ...chosen, quality: line.quality });
  const confidence = confidenceOf(features, models.settings.date);
  const keypoints = inPage(picture, line.quad);
  return { text: chosen.month.text, confidence, keypoints, month: chosen.month, line, features };
}

function inPage({ scale }: Picture, quad: Quad): Quad {
  return mapQuad(quad, (p) => ({ x: p.x * scale.x, y: p.y * scale.y }));
}

function mapQuad([a, b, c, d]: Quad, map: (p: Point) => Point): Quad {
  return [map(a), map(b), map(c), map(d)];
}
