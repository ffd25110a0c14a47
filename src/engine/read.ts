import type { Quad } from "../domain/geometry.js";
import type { StepScores } from "./decode.js";
import type { Picture } from "./picture.js";
import { naturalWidth, type StripShape, stripMatrix } from "./rectify.js";
import type { Net } from "./session.js";
import { warpInto } from "./warp.js";

const HEIGHT = 32;
const SHARE = 0.72;
const SIDE = 0.5;
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

/** What the reader said about a line: the mean over the cuts, and each cut alone. */
export interface LineScores {
  readonly mean: StepScores;
  readonly single: readonly StepScores[];
}

/** Reads a number line. @param reader the net of `models/reader.onnx` */
export function readNumberLine(reader: Net, picture: Picture, quad: Quad): Promise<LineScores> {
  return readLine(reader, picture, quad, NUMBER_WIDTH);
}

/** Reads a date line; wide ones (MM/YYYY) are squeezed a little. */
export function readDateLine(reader: Net, picture: Picture, quad: Quad): Promise<LineScores> {
  const natural = naturalWidth(quad, { height: HEIGHT, share: SHARE, side: SIDE });
  return readLine(reader, picture, quad, DATE_WIDTH, Math.min(DATE_WIDTH, natural));
}

async function readLine(reader: Net, picture: Picture, quad: Quad, width: number, aim = width): Promise<LineScores> {
  const plane = HEIGHT * width;
  const input = new Float32Array(VARIANTS.length * 3 * plane);
  VARIANTS.forEach(({ grow, shift }, n) => {
    const shape: StripShape = { width: aim, height: HEIGHT, share: SHARE / grow, side: SIDE * grow };
    const matrix = stripMatrix(quad, shape, shift);
    warpInto(input, n * 3 * plane, picture, { matrix, width, height: HEIGHT });
  });
  const { data, shape } = await reader.run(input, [VARIANTS.length, 3, HEIGHT, width]);
  const steps = shape[1] ?? 0;
  const classes = shape[2] ?? 0;
  const single = VARIANTS.map((_, n) => softmax(data.subarray(n * steps * classes), steps, classes));
  return { mean: meanOf(single, steps, classes), single };
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

function meanOf(parts: readonly StepScores[], steps: number, classes: number): StepScores {
  const data = new Float32Array(steps * classes);
  for (const part of parts) {
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + (part.data[i] ?? 0) / parts.length;
  }
  return { data, steps, classes };
}
