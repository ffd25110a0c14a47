import type { Point, Quad } from "../domain/geometry.js";
import { type Column, columnsAlong, type Edge, meanOverFull, principalAxis, regress, turned } from "./columns.js";
import type { CellMap, Component } from "./components.js";

/** A line of text as a net's mask shows it, in cells of the map (a cell's centre lies at + 0.5). */
export interface TextLine {
  /** Clockwise from the text's top-left, given that the text reads along `angle`. */
  readonly quad: Quad;
  readonly center: Point;
  /** Radians, growing clockwise, of the line's axis nearest to the direction it was asked for. */
  readonly angle: number;
  readonly length: number;
  readonly height: number;
  /** Mean probability over the line, 0..1. */
  readonly quality: number;
}

/**
 * Fits a quad to the soft mask of a component. Edges are not thresholded pixels but moments: in every column along
 * the axis the mass is the local height and its centroid the middle, and straight lines are laid through both.
 * @param direction radians: the way the text reads, roughly
 */
export function fitLine(map: CellMap, component: Component, direction: number): TextLine {
  const { center, axis } = principalAxis(map, component);
  const angle = nearestTurn(axis, direction);
  const columns = columnsAlong(map, component, center, angle);
  const middle = regress(columns, (c) => c.moment / c.mass);
  const tall = regress(columns, (c) => c.mass);
  return lineAlong(columns, component, { center, angle, middle: at(middle), tall: at(tall) });
}

/**
 * The same for a line too short to tell its own direction, such as a date: it lies along `angle`, and is as high at
 * either end.
 */
export function fitShortLine(map: CellMap, component: Component, angle: number): TextLine {
  const { center } = principalAxis(map, component);
  const columns = columnsAlong(map, component, center, angle);
  const tall = meanOverFull(columns, (c) => c.mass);
  const middle = meanOverFull(columns, (c) => c.moment / c.mass);
  return lineAlong(columns, component, { center, angle, middle: () => middle, tall: () => tall });
}

/** A line's axis through `center`, and across it, as a function of the place along it, its middle and its height. */
interface Course {
  readonly center: Point;
  readonly angle: number;
  readonly middle: (u: number) => number;
  readonly tall: (u: number) => number;
}

function at({ base, slope }: Edge): (u: number) => number {
  return (u) => base + slope * u;
}

function lineAlong(
  columns: readonly [number, Column][],
  component: Component,
  { center, angle, middle, tall }: Course,
): TextLine {
  const [left, right] = ends(columns.map(([u, c]) => [u, c.mass / Math.max(tall(u), 1e-3)]));
  const covered = columns.reduce((sum, [, column]) => sum + column.mass, 0);
  const mid = (left + right) / 2;
  const corner = (u: number, side: number): Point => turned(center, angle, u, middle(u) + side * tall(u) * 0.5);
  return {
    quad: [corner(left, -1), corner(right, -1), corner(right, 1), corner(left, 1)],
    center: turned(center, angle, mid, middle(mid)),
    angle,
    length: right - left,
    height: tall(mid),
    quality: covered / Math.max(component.cells.length, 1),
  };
}

/**
 * Fits the heaviest component together with those that continue it: glare and wide gaps tear a number line apart.
 * Null when there is no component.
 */
export function fitTornLine(map: CellMap, components: readonly Component[], direction: number): TextLine | null {
  const [first, ...others] = components;
  if (first === undefined) return null;
  let whole = first;
  let line = fitLine(map, whole, direction);
  for (const part of others) {
    if (!continues(line, fitLine(map, part, direction))) continue;
    whole = { cells: [...whole.cells, ...part.cells], mass: whole.mass + part.mass };
    line = fitLine(map, whole, direction);
  }
  return line;
}

/** Whether `part` lies on the axis of `line`, is about as high, and not far from either end. */
function continues(line: TextLine, part: TextLine): boolean {
  const dx = part.center.x - line.center.x;
  const dy = part.center.y - line.center.y;
  const along = Math.abs(dx * Math.cos(line.angle) + dy * Math.sin(line.angle));
  const across = Math.abs(dy * Math.cos(line.angle) - dx * Math.sin(line.angle));
  const gap = along - (line.length + part.length) / 2;
  const ratio = part.height / Math.max(line.height, 1e-6);
  return across < 0.5 * line.height && gap < 4 * line.height && ratio > 0.55 && ratio < 1.6;
}

/** The axis or its reverse, whichever lies nearer to `direction`; `direction` itself when it is off by over 45°. */
function nearestTurn(axis: number, direction: number): number {
  const off = Math.atan2(Math.sin(axis - direction), Math.cos(axis - direction));
  const folded = off > Math.PI / 2 ? off - Math.PI : off < -Math.PI / 2 ? off + Math.PI : off;
  return Math.abs(folded) > Math.PI / 4 ? direction : direction + folded;
}

/** Where the line begins and ends: full columns count whole, those at the ends by the share of the height they cover. */
function ends(shares: readonly (readonly [number, number])[]): [number, number] {
  const sorted = [...shares].sort((a, b) => a[0] - b[0]);
  const full = sorted.filter(([, share]) => share > 0.6);
  const first = full[0]?.[0] ?? 0;
  const last = full[full.length - 1]?.[0] ?? 0;
  let before = 0;
  let after = 0;
  for (const [u, share] of sorted) {
    if (u <= first) before += Math.min(1, share);
    if (u >= last) after += Math.min(1, share);
  }
  return [first + 0.5 - before, last - 0.5 + after];
}
