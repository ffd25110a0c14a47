import { z } from "zod";
import type { Point, Quad } from "../domain/geometry.js";
import { Pan } from "../domain/pan.js";

/** Texts of a card are short; what is longer is none. */
const LONGEST_TEXT = 200;

/** A text field of a vendor's answer: empty, missing or of another type is null. Never fails. */
export const textField = z
  .string()
  .max(LONGEST_TEXT)
  .transform((text) => (text.trim() === "" ? null : text))
  .nullable()
  .catch(null);

/** 0..1; anything else was not rated. */
export const confidenceField = z.number().min(0).max(1).nullable().catch(null);

const coordinate = z.number().min(-1e6).max(1e6);
const point = z.union([
  z.object({ x: coordinate, y: coordinate }),
  z.tuple([coordinate, coordinate]).transform(([x, y]) => ({ x, y })),
]);

/** Four corners, as objects or as pairs; anything else is null. */
export const quadField = z.tuple([point, point, point, point]).nullable().catch(null);

/** Leads corners in the picture that was sent back to the page. */
export function scaleQuad(quad: readonly [Point, Point, Point, Point], factor: number): Quad {
  const scale = ({ x, y }: Point): Point => ({ x: x * factor, y: y * factor });
  return [scale(quad[0]), scale(quad[1]), scale(quad[2]), scale(quad[3])];
}

export function toPan(text: string | null): Pan | null {
  return text === null ? null : new Pan(text);
}
