/** Where to look again when no number is sure: what one window clips, blurs or hides, another may show. */
import type { Point, Quad } from "../domain/geometry.js";
import { type Box, type CardPlace, meanOf } from "./locate.js";

/** What the earlier looks gave: the places of the cards, and the number lines read on them, in pixels of level 0. */
export interface Seen {
  readonly places: readonly CardPlace[];
  readonly lines: readonly Quad[];
}

/** Radians; turned by less, the same is seen. */
const LEAST_TURN = (5 * Math.PI) / 180;
const NEARER = 0.8;
const FARTHER = 1.5;
/** Where a group of four is missing at one end, the window must reach as far at the other. */
const CUT = 1.6;
/** By this share of a card's height its window is moved: the second look finds numbers best where most cards have them. */
const DOWN = 0.28;

/** Ways to look again, those that pay most first (`training/NOTES.md`). */
export const OTHER_LOOKS: readonly ((seen: Seen) => readonly CardPlace[])[] = [
  ({ places }) => places.flatMap(squared),
  ({ places }) => places.map((place) => scaled(place, NEARER)),
  ({ lines }) => lines.map((line) => alongLine(line)),
  ({ lines }) => lines.map((line) => alongLine(line, CUT)),
  ({ places }) => places.map((place) => scaled(place, FARTHER)),
  ({ places }) => places.map((place) => movedDown(place, DOWN)),
];

/** How large a part of the picture the cards are looked for in again, as a share of the place that was taken for a card. */
const PARTS = [1.3, 0.75];
/** The places around which that is done; pictures of many cards have one that is sure. */
const MOST_SEARCHED = 2;

/** The parts of the picture in which the cards may be seen better than in the whole. */
export function partsAround(places: readonly CardPlace[]): readonly Box[] {
  const seen = places.filter(({ outline }) => outline.length > 0).slice(0, MOST_SEARCHED);
  return PARTS.flatMap((share) => seen.map(({ outline }) => boxAround(outline, share)));
}

function boxAround(points: readonly Point[], share: number): Box {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const rim = (share - 1) / 2;
  return { left: left - rim * width, top: top - rim * height, width: width * share, height: height * share };
}

/** The places taken to read along the other side. */
export const SIDEWAYS: readonly ((seen: Seen) => readonly CardPlace[])[] = [Math.PI / 2, -Math.PI / 2].map(
  (turn) =>
    ({ places }) =>
      places.map((place) => ({ ...place, angle: place.angle + turn })),
);

/**
 * The place turned to read along the card's own axis, or across it, whichever is nearer to how it was taken to read; none
 * where it was taken so already. Where no number line was seen, only the look of the whole told the direction.
 */
export function squared(place: CardPlace): readonly CardPlace[] {
  if (place.outline.length === 0) return [];
  const { x, y } = meanOf(place.outline);
  let [xx, xy, yy] = [0, 0, 0];
  for (const p of place.outline) {
    xx += (p.x - x) ** 2;
    xy += (p.x - x) * (p.y - y);
    yy += (p.y - y) ** 2;
  }
  const axis = 0.5 * Math.atan2(2 * xy, xx - yy);
  const quarters = Math.round((place.angle - axis) / (Math.PI / 2));
  const angle = axis + quarters * (Math.PI / 2);
  return Math.abs(angle - place.angle) < LEAST_TURN ? [] : [{ ...place, angle }];
}

/** The place as if the card were smaller or larger about what the first look took for its number. */
export function scaled(place: CardPlace, factor: number): CardPlace {
  const { center } = place;
  const scale = ({ x, y }: Point): Point => ({
    x: center.x + (x - center.x) * factor,
    y: center.y + (y - center.y) * factor,
  });
  return { ...place, outline: place.outline.map(scale), lineLength: null };
}

/** The place as if the card lay further down, in its own direction, by a share of its height. */
export function movedDown(place: CardPlace, share: number): CardPlace {
  const [cos, sin] = [Math.cos(place.angle), Math.sin(place.angle)];
  const heights = place.outline.map(({ x, y }) => y * cos - x * sin);
  const far = heights.length === 0 ? 0 : share * (Math.max(...heights) - Math.min(...heights));
  const move = ({ x, y }: Point): Point => ({ x: x - sin * far, y: y + cos * far });
  return { ...place, center: move(place.center), outline: place.outline.map(move), lineLength: null };
}

/**
 * A space around a number line, whichever card it is on: its ends may lie where the line was not seen to reach.
 * @param longer how many times as long the whole line may be
 */
export function alongLine([a, b, c, d]: Quad, longer = 1): CardPlace {
  const start = { x: (a.x + d.x) / 2, y: (a.y + d.y) / 2 };
  const end = { x: (b.x + c.x) / 2, y: (b.y + c.y) / 2 };
  return {
    center: { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 },
    angle: Math.atan2(end.y - start.y, end.x - start.x),
    outline: [],
    lineLength: longer * Math.hypot(end.x - start.x, end.y - start.y),
  };
}
