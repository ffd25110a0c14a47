import type { ImageKey } from "../domain/image.js";
import type { Outcome } from "../domain/reading.js";

/**
 * A request's mark, seven characters: its recorded outcome, the generations it was recorded and published in, and 24 bits
 * of the image it speaks of, so that a file that was replaced is read again. `-` is "not yet".
 */
const LETTERS = { accepted: "a", review: "v", rejected: "r", failed: "f", duplicate: "d" } as const satisfies Record<
  Outcome,
  string
>;

export const NEW_MARK = "-------";
const IMAGE_PART = 4;

export function outcomeLetter(outcome: Outcome): string {
  return LETTERS[outcome];
}

/** The part of a mark that names the image; an image nobody could read has none. */
export function imagePart(key: ImageKey | null): string {
  if (key === null) return "-".repeat(IMAGE_PART);
  return Buffer.from(key.slice("sha256:".length, "sha256:".length + 8), "hex")
    .toString("base64url")
    .slice(0, IMAGE_PART);
}

/** Whether a request needs nothing more: its outcome, for this very image, was recorded or is on its way to be. */
export function isDone(mark: string, generation: string, key: ImageKey | null): boolean {
  return mark.charAt(2) === generation && mark.slice(3) === imagePart(key);
}

/** Generations go round after 62 of them, long after the last mark of the first is gone. */
const GENERATIONS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

export const FIRST_GENERATION = "1";
/** Of outcomes that no present generation stands behind. */
export const NO_GENERATION = "-";

export function nextGeneration(generation: string): string {
  return GENERATIONS.charAt((GENERATIONS.indexOf(generation) + 1) % GENERATIONS.length);
}
