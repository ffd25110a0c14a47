import type { Quad } from "../domain/geometry.js";
import type { Picture, Raster } from "./picture.js";

/** A homography, row by row, from output pixel (x, y, 1) to a point of the picture's level 0; affine ones end 0, 0, 1. */
export type Homography = readonly [number, number, number, number, number, number, number, number, number];

/**
 * Samples the picture through a homography, bilinearly, at the level that fits; beyond the edge the edge is repeated.
 * Fills `out` from `offset` on with three planes (R, G, B) of `width` x `height` values 0..255.
 */
export function warpInto(
  out: Float32Array,
  offset: number,
  picture: Picture,
  view: { readonly matrix: Homography; readonly width: number; readonly height: number },
): void {
  const { matrix, width, height } = view;
  const level = levelFor(picture, stepOf(view));
  const raster = picture.levels[level];
  if (raster === undefined) return;
  const shrink = 2 ** -level;
  const [a, b, c, d, e, f, g, h, i] = matrix;
  const plane = width * height;
  for (let y = 0, at = offset; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const w = 1 / (g * x + h * y + i);
      // Pixel centres of a halved level lie half a pixel further in.
      const u = ((a * x + b * y + c) * w + 0.5) * shrink - 0.5;
      const v = ((d * x + e * y + f) * w + 0.5) * shrink - 0.5;
      sample(raster, u, v, out, at, plane);
    }
  }
}

function sample(raster: Raster, u: number, v: number, out: Float32Array, at: number, plane: number): void {
  const { width, height, data } = raster;
  const x = u < 0 ? 0 : u > width - 1 ? width - 1 : u;
  const y = v < 0 ? 0 : v > height - 1 ? height - 1 : v;
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const fx = x - x0;
  const fy = y - y0;
  const right = x0 + 1 < width ? 3 : 0;
  const down = y0 + 1 < height ? width * 3 : 0;
  const p = (y0 * width + x0) * 3;
  const w00 = (1 - fx) * (1 - fy);
  const w10 = fx * (1 - fy);
  const w01 = (1 - fx) * fy;
  const w11 = fx * fy;
  for (let k = 0; k < 3; k++) {
    const q = p + k;
    out[at + k * plane] =
      (data[q] ?? 0) * w00 +
      (data[q + right] ?? 0) * w10 +
      (data[q + down] ?? 0) * w01 +
      (data[q + down + right] ?? 0) * w11;
  }
}

/** How many level-0 pixels one output pixel spans at the middle of the view, the larger way. */
function stepOf(view: { readonly matrix: Homography; readonly width: number; readonly height: number }): number {
  const x = view.width / 2;
  const y = view.height / 2;
  const [px, py] = project(view.matrix, x, y);
  const [rx, ry] = project(view.matrix, x + 1, y);
  const [dx, dy] = project(view.matrix, x, y + 1);
  return Math.max(Math.hypot(rx - px, ry - py), Math.hypot(dx - px, dy - py));
}

function levelFor(picture: Picture, step: number): number {
  const wanted = Math.max(0, Math.ceil(Math.log2(step / 2)));
  return Math.min(wanted, picture.levels.length - 1);
}

/** Where a homography takes (x, y). */
export function project(m: Homography, x: number, y: number): [number, number] {
  const w = 1 / (m[6] * x + m[7] * y + m[8]);
  return [(m[0] * x + m[1] * y + m[2]) * w, (m[3] * x + m[4] * y + m[5]) * w];
}

/**
 * The homography that takes the corners of a `width` x `height` rectangle at (`left`, `top`) to a quad, clockwise from
 * top-left. Heckbert's closed form for the unit square, then scaled.
 */
export function rectangleToQuad(quad: Quad, left: number, top: number, width: number, height: number): Homography {
  const [p, q, r, s] = quad;
  const dx1 = q.x - r.x;
  const dx2 = s.x - r.x;
  const dy1 = q.y - r.y;
  const dy2 = s.y - r.y;
  const sx = p.x - q.x + r.x - s.x;
  const sy = p.y - q.y + r.y - s.y;
  const det = dx1 * dy2 - dx2 * dy1 || 1e-9;
  const g = (sx * dy2 - dx2 * sy) / det;
  const h = (dx1 * sy - sx * dy1) / det;
  const a = q.x - p.x + g * q.x;
  const b = s.x - p.x + h * s.x;
  const d = q.y - p.y + g * q.y;
  const e = s.y - p.y + h * s.y;
  // Unit-square coordinates are ((x - left) / width, (y - top) / height).
  const [u, v, ul, vt] = [1 / width, 1 / height, -left / width, -top / height];
  return [a * u, b * v, a * ul + b * vt + p.x, d * u, e * v, d * ul + e * vt + p.y, g * u, h * v, g * ul + h * vt + 1];
}
