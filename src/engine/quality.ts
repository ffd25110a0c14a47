/** What is wrong with the picture of a card, measured on its pixels: what a person would be told before taking it again. */
import type { CardQuality } from "../domain/card-engine.js";
import type { Point, Quad } from "../domain/geometry.js";
import type { Picture } from "./picture.js";
import { rectangleToQuad, warpInto } from "./warp.js";

const LINE = { width: 480, height: 36 };
const CARD = { width: 128, height: 80 };
/** ISO/IEC 7810 ID-1: 85.60 mm by 53.98 mm. */
const CARD_RATIO = 85.6 / 53.98;
/** A card's side lies on the picture's edge when it is this near, as a share of the picture. */
const NEAR_EDGE = 0.015;
/** Perspective and the finder's own error explain this much of a wrong ratio. */
const RATIO_TOLERANCE = 0.1;
const WHITE = 250;

/** @param line the number's corners · @param card the card's corners, both in level-0 pixels, null where not found */
export function measureQuality(picture: Picture, line: Quad | null, card: Quad | null): CardQuality {
  return {
    blur: line === null ? null : blurOf(picture, line),
    glare: card === null ? null : glareOf(picture, card),
    cutEdge: card !== null && isCut(picture, card),
  };
}

/** Which way the text reads in the picture, degrees clockwise from left to right, 0 to 359. */
export function directionOf([a, b, c, d]: Quad): number {
  const turn = Math.atan2(b.y - a.y + c.y - d.y, b.x - a.x + c.x - d.x);
  return (Math.round((turn * 180) / Math.PI) + 360) % 360;
}

/**
 * The mean squared difference of brightness over a distance grows with the distance where edges are sharp, and with its
 * square where they are soft. Taken over an eighteenth and a ninth of the digits' height, less than their strokes are
 * wide, the ratio tells the one from the other whatever the contrast.
 */
function blurOf(picture: Picture, line: Quad): number | null {
  const gray = graySquares(picture, line, LINE);
  const near = meanSquaredStep(gray, 2);
  const far = meanSquaredStep(gray, 4);
  if (far < 1) return null;
  const [soft, sharp] = [0.25, 0.5];
  return 1 - clamp((near / far - soft) / (sharp - soft));
}

/** The view's pixels, grey, each the mean of three that stand upon one another: grain would look like sharpness. */
function graySquares(picture: Picture, quad: Quad, { width, height }: typeof LINE): Float32Array[] {
  const plane = width * height;
  const rgb = new Float32Array(plane * 3);
  warpInto(rgb, 0, picture, { matrix: rectangleToQuad(quad, 0, 0, width, height), width, height });
  const gray = Float32Array.from({ length: plane }, (_, i) => sumAt(rgb, i, plane, 3) / 3);
  return Array.from({ length: height - 2 }, (_, y) =>
    Float32Array.from({ length: width }, (_, x) => sumAt(gray, y * width + x, width, 3) / 3),
  );
}

function sumAt(values: Float32Array, at: number, stride: number, count: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += values[at + k * stride] ?? 0;
  return sum;
}

function meanSquaredStep(rows: readonly Float32Array[], distance: number): number {
  let sum = 0;
  let count = 0;
  for (const row of rows) {
    for (let x = distance; x < row.length; x++) {
      sum += ((row[x] ?? 0) - (row[x - distance] ?? 0)) ** 2;
      count++;
    }
  }
  return sum / Math.max(count, 1);
}

/** The share of the card that is blown out to white: glare, or on a scan white print. */
function glareOf(picture: Picture, card: Quad): number {
  const plane = CARD.width * CARD.height;
  const rgb = new Float32Array(plane * 3);
  warpInto(rgb, 0, picture, { matrix: rectangleToQuad(card, 0, 0, CARD.width, CARD.height), ...CARD });
  let white = 0;
  for (let i = 0; i < plane; i++) {
    if (Math.min(rgb[i] ?? 0, rgb[i + plane] ?? 0, rgb[i + 2 * plane] ?? 0) >= WHITE) white++;
  }
  return white / plane;
}

/** A side of the card lies on the picture's edge, and what is seen has not a card's proportions. */
function isCut({ levels: [full] }: Picture, card: Quad): boolean {
  if (full === undefined) return false;
  const { width, height } = full;
  const isOnEdge = (a: Point, b: Point): boolean =>
    [a.x / width, 1 - a.x / width, a.y / height, 1 - a.y / height].some((distance, i) => {
      const other = [b.x / width, 1 - b.x / width, b.y / height, 1 - b.y / height][i] ?? 1;
      return distance < NEAR_EDGE && other < NEAR_EDGE;
    });
  const [a, b, c, d] = card;
  const sides = [[a, b] as const, [b, c] as const, [c, d] as const, [d, a] as const];
  if (!sides.some(([p, q]) => isOnEdge(p, q))) return false;
  const length = (p: Point, q: Point): number => Math.hypot(p.x - q.x, p.y - q.y);
  const [across, down] = [length(a, b) + length(d, c), length(b, c) + length(a, d)];
  const ratio = Math.max(across, down) / Math.max(Math.min(across, down), 1e-6);
  return Math.abs(ratio / CARD_RATIO - 1) > RATIO_TOLERANCE;
}

function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}
