import type { Quad } from "../domain/geometry.js";
import type { Picture } from "./picture.js";

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
  const row = raster.width * 3;
  const lastX = raster.width - 1;
  const lastY = raster.height - 1;
  const pixels = raster.data;
  for (let y = 0, at = offset; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const w = 1 / (g * x + h * y + i);
      // Pixel centres of a halved level lie half a pixel further in.
      const u = clamp(((a * x + b * y + c) * w + 0.5) * shrink - 0.5, lastX);
      const v = clamp(((d * x + e * y + f) * w + 0.5) * shrink - 0.5, lastY);
      const x0 = u | 0;
      const y0 = v | 0;
      const fx = u - x0;
      const fy = v - y0;
      const p = y0 * row + x0 * 3;
      const right = x0 < lastX ? 3 : 0;
      const down = y0 < lastY ? row : 0;
      out[at] = mix(pixels, p, right, down, fx, fy);
      out[at + plane] = mix(pixels, p + 1, right, down, fx, fy);
      out[at + 2 * plane] = mix(pixels, p + 2, right, down, fx, fy);
    }
  }
}

function clamp(value: number, most: number): number {
  return value > 0 ? (value < most ? value : most) : 0;
}

/** Bilinear mean of four bytes. The casts are of indexes known to lie inside; checking each would double the time. */
function mix(bytes: Uint8Array, p: number, right: number, down: number, fx: number, fy: number): number {
  const a = bytes[p] as number;
  const b = bytes[p + right] as number;
  const c = bytes[p + down] as number;
  const d = bytes[p + down + right] as number;
  const top = a + (b - a) * fx;
  return top + (c + (d - c) * fx - top) * fy;
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
