/**
 * How a picture becomes a reading: decode, locate the cards, look closely at each, read its lines, decode the texts.
 * Pure but for the nets: the same bytes give the same reading.
 */
import type { EngineCard, EngineReading, EngineText } from "../domain/card-engine.js";
import type { Point, Quad } from "../domain/geometry.js";
import { chooseNumber } from "./choose.js";
import { confidenceOf, discounted, type Features } from "./confidence.js";
import { type CardMonth, chooseMonth } from "./dates.js";
import { beamSearch, readPlainly } from "./decode.js";
import { type CardPlace, locateCards } from "./locate.js";
import { decodePicture, type Picture } from "./picture.js";
import { type LineScores, readDateLine, readNumberLine } from "./read.js";
import { type CardLines, lookClosely, type PlacedLine } from "./rectify.js";
import type { Models } from "./session.js";

/** Below this a number is tried again upside down, and the surer of the two kept. */
const DOUBT = 0.5;
/** A date less likely than this is not reported. */
const LEAST_DATE = 0.02;

/** A number with what its confidence was made of, for calibration. */
export interface ReadNumber extends EngineText {
  readonly features: Features;
  readonly luhn: boolean;
}

interface ReadDate extends EngineText {
  readonly month: CardMonth;
  readonly features: Features;
}

/** A card with the features of its texts, before they are left out for the port. */
export interface ReadCard extends EngineCard {
  readonly number: ReadNumber | null;
}

/**
 * Reads one encoded picture.
 * @throws EngineError `engine-image` when the bytes cannot be decoded
 */
export async function readPicture(models: Models, bytes: Uint8Array): Promise<EngineReading> {
  const picture = await decodePicture(bytes);
  const places = await locateCards(models.locator, picture);
  const cards: EngineCard[] = [];
  for (const place of places) {
    const card = await readCard(models, picture, place);
    if (card !== null) cards.push(card);
  }
  return { cards };
}

/** Reads the card at a place; null when there is neither a number nor a clear card. */
async function readCard(models: Models, picture: Picture, place: CardPlace): Promise<ReadCard | null> {
  const first = await readUpright(models, picture, place);
  if ((first.number?.confidence ?? 0) >= DOUBT) return first;
  const turned = await readUpright(models, picture, { ...place, angle: place.angle + Math.PI });
  const better = (turned.number?.confidence ?? 0) > (first.number?.confidence ?? 0) ? turned : first;
  return better.number === null && place.outline.length === 0 ? null : better;
}

async function readUpright(models: Models, picture: Picture, place: CardPlace): Promise<ReadCard> {
  const lines = await lookClosely(models.closeup, picture, place);
  const number = lines.number === null ? null : await readNumber(models, picture, lines.number);
  const dates = await readDates(models, picture, lines);
  const quad = lines.card === null ? null : inPage(picture, lines.card);
  return { number, ...dates, quad };
}

async function readNumber(models: Models, picture: Picture, line: PlacedLine): Promise<ReadNumber | null> {
  const scores = await readNumberLine(models.reader, picture, line.quad);
  const chosen = chooseNumber(beamSearch(scores.mean));
  if (chosen === null) return null;
  const features = featuresOf(scores, chosen.digits, { ...chosen, quality: line.quality });
  const sure = confidenceOf(features, models.settings.number);
  const confidence = chosen.luhn ? sure : discounted(sure, models.settings.luhnPenalty);
  return { text: chosen.digits, confidence, keypoints: inPage(picture, line.quad), features, luhn: chosen.luhn };
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

async function readDates(
  models: Models,
  picture: Picture,
  lines: CardLines,
): Promise<{ issueDate: EngineText | null; expiryDate: EngineText | null }> {
  let issue = lines.issue === null ? null : await readDate(models, picture, lines.issue);
  let expiry = lines.expiry === null ? null : await readDate(models, picture, lines.expiry);
  // One date claimed twice belongs to the surer claim; of two dates the earlier is the issue date.
  if (issue !== null && expiry !== null) {
    if (overlap(issue.keypoints, expiry.keypoints)) {
      if ((lines.issue?.quality ?? 0) > (lines.expiry?.quality ?? 0)) expiry = null;
      else issue = null;
    } else if (issue.month.ordinal > expiry.month.ordinal) {
      [issue, expiry] = [expiry, issue];
    }
  }
  return { issueDate: issue, expiryDate: expiry };
}

async function readDate(models: Models, picture: Picture, line: PlacedLine): Promise<ReadDate | null> {
  const scores = await readDateLine(models.reader, picture, line.quad);
  const chosen = chooseMonth(beamSearch(scores.mean));
  if (chosen === null || chosen.logMass < Math.log(LEAST_DATE)) return null;
  const features = featuresOf(scores, chosen.month.text, { ...chosen, quality: line.quality });
  const confidence = confidenceOf(features, models.settings.date);
  return { text: chosen.month.text, confidence, keypoints: inPage(picture, line.quad), month: chosen.month, features };
}

/** Whether the middle of one line lies within half a height of the other's. */
function overlap(a: Quad, b: Quad): boolean {
  const middle = (q: Quad): Point => ({ x: (q[0].x + q[2].x) / 2, y: (q[0].y + q[2].y) / 2 });
  const [p, q] = [middle(a), middle(b)];
  return Math.hypot(p.x - q.x, p.y - q.y) < Math.hypot(a[3].x - a[0].x, a[3].y - a[0].y);
}

function inPage(picture: Picture, quad: Quad): Quad {
  const page = (p: Point): Point => ({ x: p.x * picture.scale.x, y: p.y * picture.scale.y });
  return [page(quad[0]), page(quad[1]), page(quad[2]), page(quad[3])];
}
