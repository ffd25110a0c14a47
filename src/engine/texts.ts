/** From lines in a picture to texts with their confidence. */
import type { EngineText } from "../domain/card-engine.js";
import type { Point, Quad } from "../domain/geometry.js";
import { chooseNumber } from "./choose.js";
import { confidenceOf, discounted, type Features } from "./confidence.js";
import { type CardMonth, chooseMonth } from "./dates.js";
import { beamSearch, DIGITS, readPlainly } from "./decode.js";
import type { Picture } from "./picture.js";
import { regrown } from "./quads.js";
import { type LineScores, readDateLine, readNumberLine } from "./read.js";
import type { DateLine, PlacedLine } from "./rectify.js";
import type { Models } from "./session.js";

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
  readonly kind: DateLine["kind"];
  readonly features: Features;
}

/** Reads a number line; null where nothing on it is as long as a card number. */
export async function readNumber(models: Models, picture: Picture, line: PlacedLine): Promise<ReadNumber | null> {
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

/**
 * The surest two dates, the earlier one as issue date. A single one is the expiry date, which is what cards show when they
 * show one, unless the second look saw that in another place, where nothing could be read.
 */
export async function readDates(
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
    const isIssue = first.kind === "issue" && lines.some(({ kind }) => kind === "expiry");
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
  return { text: chosen.month.text, confidence, keypoints, month: chosen.month, kind: line.kind, features };
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

/** A quad of level-0 pixels in pixels of the page. */
export function inPage({ scale }: Picture, [a, b, c, d]: Quad): Quad {
  const scaled = ({ x, y }: Point): Point => ({ x: x * scale.x, y: y * scale.y });
  return [scaled(a), scaled(b), scaled(c), scaled(d)];
}
