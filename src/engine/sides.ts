import type { Point, Quad } from "../domain/geometry.js";
import { type Column, columnsAlong, type Edge, principalAxis, regress, turned } from "./columns.js";
import type { CellMap, Component } from "./components.js";

/** Slanting sides cut columns short; after two rounds without those the corners stay where they are. */
const ROUNDS = 2;
/** A quad this much larger or smaller than the mask is not its shape. */
const MOST_OFF = 0.3;

/**
 * Fits a quad to the soft mask of a flat, four-sided thing, each side a straight line of its own: seen at a slant, sides
 * are neither parallel nor square to one another.
 * @param angle radians: along its upper side, roughly
 * @returns in cells, clockwise from the left end of its upper side; null when the mask has no four sides
 */
export function fitSides(map: CellMap, component: Component, angle: number): Quad | null {
  const { center } = principalAxis(map, component);
  const across = columnsAlong(map, component, center, angle);
  const along = columnsAlong(map, component, center, angle + Math.PI / 2);
  let corners = cornersOf(across, along);
  for (let round = 0; round < ROUNDS; round++) {
    const [a, b, c, d] = corners;
    const columns = between(across, Math.max(a.x, d.x), Math.min(b.x, c.x));
    const rows = between(along, Math.max(a.y, b.y), Math.min(c.y, d.y));
    corners = cornersOf(columns, rows);
  }
  const isItsShape = Math.abs(areaOf(corners) / component.mass - 1) <= MOST_OFF;
  if (!isItsShape) return null;
  const [a, b, c, d] = corners;
  const placed = ({ x, y }: Point): Point => turned(center, angle, x, y);
  return [placed(a), placed(b), placed(c), placed(d)];
}

type Columns = readonly [number, Column][];

/** Corners as (along, across) from columns of both kinds. Turned by a quarter, across is minus along. */
function cornersOf(columns: Columns, rows: Columns): Quad {
  const [top, bottom] = edgesOf(columns);
  const [right, left] = edgesOf(rows);
  return [meet(top, left), meet(top, right), meet(bottom, right), meet(bottom, left)];
}

/** Where the columns begin and end: half their mass to either side of their middle. */
function edgesOf(columns: Columns): [Edge, Edge] {
  const side = (share: number): Edge => regress(columns, ({ mass, moment }) => moment / mass + share * mass);
  return [side(-0.5), side(0.5)];
}

/** The columns between two places; all, where there would be too few to tell a slope. */
function between(columns: Columns, from: number, to: number): Columns {
  const inner = columns.filter(([u]) => u >= from && u <= to);
  return inner.length < 4 ? columns : inner;
}

/** By the shoelace formula; a side that crosses another counts against it. */
function areaOf([a, b, c, d]: Quad): number {
  return ((c.x - a.x) * (d.y - b.y) - (d.x - b.x) * (c.y - a.y)) / 2;
}

/** The point (u, v) at which v = `flat`(u) and -u = `steep`(v). */
function meet(flat: Edge, steep: Edge): Point {
  const v = (flat.base - flat.slope * steep.base) / (1 + flat.slope * steep.slope);
  return { x: -(steep.base + steep.slope * v), y: v };
}
