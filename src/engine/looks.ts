/** Where to look again when no number is sure: what one window clips, blurs or hides, another may show. */
import type { Point, Quad } from "../domain/geometry.js";
import type { CardPlace } from "./locate.js";

/** What the earlier looks gave: the places of the cards, and the number lines read on them, in pixels of level 0. */
export interface Seen {
  readonly places: readonly CardPlace[];
  readonly lines: readonly Quad[];
}

const NEARER = 0.8;
const FARTHER = 1.5;
/** By this share of a card's height its window is moved: the second look finds numbers best where most cards have them. */
const DOWN = 0.28;

/** Ways to look again, those that pay most first (`training/NOTES.md`). */
export const OTHER_LOOKS: readonly ((seen: Seen) => readonly CardPlace[])[] = [
  ({ places }) => places.map((place) => scaled(place, NEARER)),
  ({ lines }) => lines.map(alongLine),
  ({ places }) => places.map((place) => scaled(place, FARTHER)),
  ({ places }) => places.map((place) => movedDown(place, DOWN)),
];

/** The places taken to read along the other side. */
export const SIDEWAYS: readonly ((seen: Seen) => readonly CardPlace[])[] = [Math.PI / 2, -Math.PI / 2].map(
  (turn) =>
    ({ places }) =>
      places.map((place) => ({ ...place, angle: place.angle + turn })),
);

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

/** A space around a number line, whichever card it is on: its ends may lie where the line was not seen to reach. */
export function alongLine([a, b, c, d]: Quad): CardPlace {
  const start = { x: (a.x + d.x) / 2, y: (a.y + d.y) / 2 };
  const end = { x: (b.x + c.x) / 2, y: (b.y + c.y) / 2 };
  return {
    center: { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 },
    angle: Math.atan2(end.y - start.y, end.x - start.x),
    outline: [],
    lineLength: Math.hypot(end.x - start.x, end.y - start.y),
  };
}
