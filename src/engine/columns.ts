import type { Point } from "../domain/geometry.js";
import type { CellMap, Component } from "./components.js";

/** What of a soft mask lies in one column across an axis: its sum, and its first moment about the axis, in cells. */
export interface Column {
  mass: number;
  moment: number;
}

/** A straight line: the value at 0, and what one step adds. */
export interface Edge {
  readonly base: number;
  readonly slope: number;
}

/** Middle and longer axis (radians) of the component. */
export function principalAxis(map: CellMap, component: Component): { center: Point; axis: number } {
  let [sum, sx, sy, sxx, sxy, syy] = [0, 0, 0, 0, 0, 0];
  for (const cell of component.cells) {
    const w = map.data[cell] ?? 0;
    const x = (cell % map.width) + 0.5;
    const y = Math.floor(cell / map.width) + 0.5;
    sum += w;
    sx += w * x;
    sy += w * y;
    sxx += w * x * x;
    sxy += w * x * y;
    syy += w * y * y;
  }
  const center = { x: sx / sum, y: sy / sum };
  const cxx = sxx / sum - center.x ** 2;
  const cyy = syy / sum - center.y ** 2;
  const cxy = sxy / sum - center.x * center.y;
  return { center, axis: 0.5 * Math.atan2(2 * cxy, cxx - cyy) };
}

/** The point `u` along and `v` across an axis through `center`. */
export function turned(center: Point, angle: number, u: number, v: number): Point {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  return { x: center.x + u * cos - v * sin, y: center.y + u * sin + v * cos };
}

/** Mass and first moment in columns one cell wide along the axis; each cell is split between the two nearest columns. */
export function columnsAlong(map: CellMap, component: Component, center: Point, angle: number): [number, Column][] {
  const columns = new Map<number, Column>();
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const add = (u: number, w: number, v: number): void => {
    const column = columns.get(u) ?? { mass: 0, moment: 0 };
    column.mass += w;
    column.moment += w * v;
    columns.set(u, column);
  };
  for (const cell of component.cells) {
    const dx = (cell % map.width) + 0.5 - center.x;
    const dy = Math.floor(cell / map.width) + 0.5 - center.y;
    const u = dx * cos + dy * sin;
    const v = dy * cos - dx * sin;
    const w = map.data[cell] ?? 0;
    const low = Math.floor(u);
    add(low, w * (low + 1 - u), v);
    add(low + 1, w * (u - low), v);
  }
  return [...columns].filter(([, column]) => column.mass > 0.02);
}

/** The straight line through `value` of the columns, weighted by mass, the thin ends left out. */
export function regress(columns: readonly [number, Column][], value: (column: Column) => number): Edge {
  let [sw, su, sv, suu, suv] = [0, 0, 0, 0, 0];
  for (const [u, column] of fullColumns(columns)) {
    const w = column.mass;
    const v = value(column);
    sw += w;
    su += w * u;
    sv += w * v;
    suu += w * u * u;
    suv += w * u * v;
  }
  const det = sw * suu - su * su;
  const slope = det > 1e-6 * sw * sw ? (sw * suv - su * sv) / det : 0;
  const base = (sv - slope * su) / Math.max(sw, 1e-9);
  return { base, slope };
}

/** The mean of `value` over the columns, weighted by mass, the thin ends left out. */
export function meanOverFull(columns: readonly [number, Column][], value: (column: Column) => number): number {
  const full = fullColumns(columns);
  const mass = full.reduce((sum, [, column]) => sum + column.mass, 0);
  return full.reduce((sum, [, column]) => sum + column.mass * value(column), 0) / Math.max(mass, 1e-9);
}

function fullColumns(columns: readonly [number, Column][]): readonly [number, Column][] {
  const masses = columns.map(([, c]) => c.mass).sort((a, b) => a - b);
  const typical = masses[Math.floor(masses.length / 2)] ?? 0;
  return columns.filter(([, column]) => column.mass >= 0.6 * typical);
}
