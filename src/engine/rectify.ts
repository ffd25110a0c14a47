import type { Point, Quad } from "../domain/geometry.js";
import { type CellMap, findComponents, probabilities } from "./components.js";
import { fitLine, fitShortLine, fitTornLine, type TextLine } from "./line-fit.js";
import type { CardPlace } from "./locate.js";
import type { Picture } from "./picture.js";
import { leaning, reversed, sameLine } from "./quads.js";
import type { Net } from "./runtime.js";
import { fitSides } from "./sides.js";
import { type Homography, project, rectangleToQuad, warpInto } from "./warp.js";

const CELL = 4;
/** Canvas (width, height) by the window's proportions; training cuts the same, see `training/windows.py`. */
const LYING = [512, 320] as const;
const STANDING = [320, 512] as const;
const NEITHER = [416, 416] as const;
const MARGIN = 0.04;
const LEAST_NUMBER_CELLS = 12;
/** Of each kind; more are mistakes. */
const MOST_DATES = 2;

/** A line of text, placed. `quad` in level-0 pixels, clockwise from the text's top-left; `quality` 0..1. */
export interface PlacedLine {
  readonly quad: Quad;
  readonly quality: number;
}

/** A line that looks like a date, and which of the two the second look takes it for. */
export interface DateLine extends PlacedLine {
  readonly kind: "issue" | "expiry";
}

/** What the second look found on one card, upright whichever way it lay; dates surest first, none twice. */
export interface CardLines {
  readonly number: PlacedLine | null;
  readonly dates: readonly DateLine[];
  readonly card: Quad | null;
  /** How sure it is which way up the card lies, 0.5 (a guess) to 1. */
  readonly wayUp: number;
}

interface Window {
  readonly width: number;
  readonly height: number;
  readonly matrix: Homography;
}

/** Looks at one card closely and finds its lines. @param closeup the net of `models/closeup.onnx` */
export async function lookClosely(closeup: Net, picture: Picture, place: CardPlace): Promise<CardLines> {
  const window = windowOn(place);
  const { width, height } = window;
  const input = new Float32Array(3 * width * height);
  warpInto(input, 0, picture, window);
  const { data } = await closeup.run(input, [1, 3, height, width]);
  const [w, h] = [width / CELL, height / CELL];
  const maps = [0, 1, 2, 3, 4].map((channel) => probabilities(data, channel, w, h));
  const [numberMap, issueMap, expiryMap, cardMap, upsideMap] = maps;
  if (!numberMap || !issueMap || !expiryMap || !cardMap || !upsideMap) throw new Error("the closeup gave too few maps");
  const torn = fitTornLine(numberMap, findComponents(numberMap, 0.25, 4), 0);
  const number = torn === null || torn.length * torn.height < LEAST_NUMBER_CELLS ? null : placed(window, torn);
  // Dates stand parallel to the number, which is long enough to tell its direction.
  const along = torn?.angle ?? 0;
  const datesOf = (map: CellMap, kind: DateLine["kind"]): DateLine[] =>
    findComponents(map, 0.25, 4)
      .slice(0, MOST_DATES)
      .map((component) => ({ ...placed(window, fitShortLine(map, component, along)), kind }));
  const dates = withoutTwins([...datesOf(issueMap, "issue"), ...datesOf(expiryMap, "expiry")]);
  const [area] = findComponents(cardMap, 0.25, 200);
  const sides = area === undefined ? null : (fitSides(cardMap, area, along) ?? fitLine(cardMap, area, 0).quad);
  const card = sides === null ? null : inPicture(window, sides);
  const lean = <Line extends PlacedLine>(line: Line): Line =>
    card === null ? line : { ...line, quad: leaning(line.quad, card) };
  const upside = meanWhere(upsideMap, numberMap);
  const found = {
    number: number === null ? null : lean(number),
    dates: dates.map(lean),
    card,
    wayUp: Math.max(upside, 1 - upside),
  };
  return upside > 0.5 ? turnedRound(found) : found;
}

/** The mean of one map where another is over a half; 0 where it nowhere is. */
function meanWhere(values: CellMap, mask: CellMap): number {
  let sum = 0;
  let count = 0;
  for (const [i, value] of values.data.entries()) {
    if ((mask.data[i] ?? 0) <= 0.5) continue;
    sum += value;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** The same lines taken to read the other way. */
export function turnedRound(lines: CardLines): CardLines {
  return {
    ...lines,
    number: lines.number === null ? null : { ...lines.number, quad: reversed(lines.number.quad) },
    dates: lines.dates.map((date) => ({ ...date, quad: reversed(date.quad) })),
    card: lines.card === null ? null : reversed(lines.card),
  };
}

/** One date claimed for both kinds belongs to the surer claim. */
function withoutTwins(lines: readonly DateLine[]): DateLine[] {
  const kept: DateLine[] = [];
  for (const line of [...lines].sort((a, b) => b.quality - a.quality)) {
    if (!kept.some((other) => sameLine(line.quad, other.quad))) kept.push(line);
  }
  return kept;
}

/** The window on a card: upright, whole, a little larger than the card; without a card, a space around the number. */
export function windowOn(place: CardPlace): Window {
  const { center, angle } = place;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const include = (u: number, v: number): void => {
    left = Math.min(left, u);
    top = Math.min(top, v);
    right = Math.max(right, u);
    bottom = Math.max(bottom, v);
  };
  for (const p of place.outline) {
    const [dx, dy] = [p.x - center.x, p.y - center.y];
    include(dx * cos + dy * sin, dy * cos - dx * sin);
  }
  const reach = (place.lineLength ?? 0) * 0.54;
  const least = place.outline.length === 0 ? { x: reach * 1.15, y: reach * 0.75 } : { x: reach, y: reach * 0.3 };
  include(-least.x, -least.y);
  include(least.x, least.y);
  const pad = MARGIN * Math.max(right - left, bottom - top) + 1;
  return fitCanvas(center, angle, { left: left - pad, top: top - pad, right: right + pad, bottom: bottom + pad });
}

function fitCanvas(
  center: Point,
  angle: number,
  extent: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number },
): Window {
  const { left, top, right, bottom } = extent;
  const ratio = (right - left) / (bottom - top);
  const [width, height] = ratio > 1.25 ? LYING : ratio < 0.8 ? STANDING : NEITHER;
  // Canvas pixel to picture: one scale both ways, the extent in the canvas's middle.
  const step = Math.max((right - left) / width, (bottom - top) / height);
  const u0 = (left + right) / 2 - (step * width) / 2;
  const v0 = (top + bottom) / 2 - (step * height) / 2;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const x0 = center.x + u0 * c - v0 * s;
  const y0 = center.y + u0 * s + v0 * c;
  return { width, height, matrix: [step * c, -step * s, x0, step * s, step * c, y0, 0, 0, 1] };
}

function placed(window: Window, line: TextLine): PlacedLine {
  return { quad: inPicture(window, line.quad), quality: line.quality };
}

/** A quad of cells in pixels of level 0. */
function inPicture(window: Window, [a, b, c, d]: Quad): Quad {
  const back = (p: Point): Point => {
    const [x, y] = project(window.matrix, p.x * CELL - 0.5, p.y * CELL - 0.5);
    return { x, y };
  };
  return [back(a), back(b), back(c), back(d)];
}

/** How a strip is cut: its size in px, the share of its height that the text takes, the side margin in text heights. */
export interface StripShape {
  readonly width: number;
  readonly height: number;
  readonly share: number;
  readonly side: number;
}

/** The homography from a strip's pixels to the picture that puts the quad in the strip's middle. */
export function stripMatrix(quad: Quad, shape: StripShape, shift = 0): Homography {
  const text = shape.share * shape.height;
  const pad = shape.side * text;
  const top = (shape.height - text) / 2 + shift * text;
  return rectangleToQuad(quad, pad, top, shape.width - 2 * pad, text);
}

/** Width in px of a strip that keeps the text's own proportions. */
export function naturalWidth(quad: Quad, shape: Omit<StripShape, "width">): number {
  const [a, b, c, d] = quad;
  const across = (Math.hypot(b.x - a.x, b.y - a.y) + Math.hypot(c.x - d.x, c.y - d.y)) / 2;
  const tall = (Math.hypot(d.x - a.x, d.y - a.y) + Math.hypot(c.x - b.x, c.y - b.y)) / 2;
  return shape.share * shape.height * (across / Math.max(tall, 1e-6) + 2 * shape.side);
}
