import type { Quad } from "../domain/geometry.js";
import { readPlainly, type StepScores } from "./decode.js";
import type { Picture } from "./picture.js";
import { naturalWidth, type StripShape, stripMatrix } from "./rectify.js";
import type { Net } from "./runtime.js";
import { warpInto } from "./warp.js";

const HEIGHT = 32;
const SHARE = 0.72;
const SIDE = 0.7;
const NUMBER_WIDTH = 384;
const DATE_WIDTH = 112;

/** One cut of a line: how much taller than found the text is taken to be, and a shift down in text heights. */
interface Variant {
  readonly grow: number;
  readonly shift: number;
}

/** Several cuts of the same line: what one cut clips, another shows. They differ only up and down, so steps stay aligned. */
const VARIANTS: readonly Variant[] = [
  { grow: 1, shift: 0 },
  { grow: 1.12, shift: 0.04 },
  { grow: 0.9, shift: -0.04 },
];
/** A first cut whose least sure character is this sure needs no second. */
const SURE_PEAK = 0.9;

/** What the reader said about a line: the mean over the cuts, and each cut alone. */
export interface LineScores {
  readonly mean: StepScores;
  readonly single: readonly StepScores[];
}

/** Reads a number line. @param reader the net of `models/reader.onnx` */
export function readNumberLine(reader: Net, picture: Picture, quad: Quad): Promise<LineScores> {
  return readLine(reader, picture, quad, { width: NUMBER_WIDTH, aim: NUMBER_WIDTH });
}

/** Reads a date line; wide ones (MM/YYYY) are squeezed a little. */
export function readDateLine(reader: Net, picture: Picture, quad: Quad): Promise<LineScores> {
  const natural = naturalWidth(quad, { height: HEIGHT, share: SHARE, side: SIDE });
  return readLine(reader, picture, quad, { width: DATE_WIDTH, aim: Math.min(DATE_WIDTH, natural) });
}

/** Strip widths in px: of the net's input, and of the part of it that the line with its margins takes. */
interface Widths {
  readonly width: number;
  readonly aim: number;
}

async function readLine(reader: Net, picture: Picture, quad: Quad, widths: Widths): Promise<LineScores> {
  const [first, ...others] = VARIANTS;
  if (first === undefined) throw new Error("no way to cut a line");
  const one = await readCuts(reader, picture, quad, [first], widths);
  const [sure] = one;
  if (sure !== undefined && readPlainly(sure).leastPeak >= SURE_PEAK) return { mean: sure, single: one };
  const single = [...one, ...(await readCuts(reader, picture, quad, others, widths))];
  return { mean: meanOf(single), single };
}

async function readCuts(
  reader: Net,
  picture: Picture,
  quad: Quad,
  variants: readonly Variant[],
  { width, aim }: Widths,
): Promise<StepScores[]> {
  const plane = HEIGHT * width;
  const input = new Float32Array(variants.length * 3 * plane);
  variants.forEach(({ grow, shift }, n) => {
    const shape: StripShape = { width: aim, height: HEIGHT, share: SHARE / grow, side: SIDE * grow };
    const matrix = stripMatrix(quad, shape, shift);
    warpInto(input, n * 3 * plane, picture, { matrix, width, height: HEIGHT });
  });
  const { data, shape } = await reader.run(input, [variants.length, 3, HEIGHT, width]);
  const steps = shape[1] ?? 0;
  const classes = shape[2] ?? 0;
  return variants.map((_, n) => softmax(data.subarray(n * steps * classes), steps, classes));
}

function softmax(logits: Float32Array, steps: number, classes: number): StepScores {
  const data = new Float32Array(steps * classes);
  for (let step = 0; step < steps; step++) {
    const at = step * classes;
    let top = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) top = Math.max(top, logits[at + k] ?? 0);
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const e = Math.exp((logits[at + k] ?? 0) - top);
      data[at + k] = e;
      sum += e;
    }
    for (let k = 0; k < classes; k++) data[at + k] = (data[at + k] ?? 0) / sum;
  }
  return { data, steps, classes };
}

function meanOf(parts: readonly StepScores[]): StepScores {
  const [{ steps, classes } = { steps: 0, classes: 0 }] = parts;
  const data = new Float32Array(steps * classes);
  for (const part of parts) {
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + (part.data[i] ?? 0) / parts.length;
  }
  return { data, steps, classes };
}
