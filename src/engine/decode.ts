/** One text a reader may have meant, and the natural logarithm of its probability (all alignments summed). */
export interface Candidate {
  readonly text: string;
  readonly logMass: number;
}

/** What the reader said about a strip: `data` holds `steps` rows of probabilities, one for each class; the last is the blank. */
export interface StepScores {
  readonly data: Float32Array;
  readonly steps: number;
  readonly classes: number;
}

export const ALPHABET = "0123456789/";
export const DIGITS = 10;
const BEAM = 32;
/** Classes less likely than this at a step are not followed. */
const LEAST = 2e-4;
const SURELY_BLANK = 0.999;

interface Branch {
  /** Probability of all alignments that end in a blank, and of those that end in the text's last character. */
  blank: number;
  mark: number;
}

/**
 * CTC prefix beam search (Graves 2012, section 7.5): the likeliest texts, best first.
 * Probabilities are rescaled at each step, so that long strips do not underflow.
 * @param characters how many of the alphabet's first characters a text may have
 */
export function beamSearch(scores: StepScores, characters: number = ALPHABET.length): Candidate[] {
  const { data, steps, classes } = scores;
  let beam = new Map<string, Branch>([["", { blank: 1, mark: 0 }]]);
  let logScale = 0;
  for (let step = 0; step < steps; step++) {
    const row = data.subarray(step * classes, (step + 1) * classes);
    const blank = row[ALPHABET.length] ?? 0;
    if (blank > SURELY_BLANK) {
      // Most steps lie between characters: nothing grows, all end in a blank.
      for (const branch of beam.values()) close(branch);
      logScale += Math.log(blank);
      continue;
    }
    const grown = extend(beam, row, characters);
    const kept = [...grown].sort((a, b) => total(b[1]) - total(a[1])).slice(0, BEAM);
    const sum = kept.reduce((all, [, branch]) => all + total(branch), 0) || 1e-30;
    logScale += Math.log(sum);
    beam = new Map(kept.map(([text, b]) => [text, { blank: b.blank / sum, mark: b.mark / sum }]));
  }
  return [...beam]
    .map(([text, branch]) => ({ text, logMass: Math.log(Math.max(total(branch), 1e-30)) + logScale }))
    .sort((a, b) => b.logMass - a.logMass);
}

function close(branch: Branch): void {
  branch.blank += branch.mark;
  branch.mark = 0;
}

function total(branch: Branch): number {
  return branch.blank + branch.mark;
}

function extend(beam: ReadonlyMap<string, Branch>, row: Float32Array, characters: number): Map<string, Branch> {
  const grown = new Map<string, Branch>();
  const at = (text: string): Branch => {
    const known = grown.get(text);
    if (known !== undefined) return known;
    const fresh = { blank: 0, mark: 0 };
    grown.set(text, fresh);
    return fresh;
  };
  const blank = row[ALPHABET.length] ?? 0;
  for (const [text, branch] of beam) {
    const same = at(text);
    same.blank += total(branch) * blank;
    for (let k = 0; k < characters; k++) {
      const p = row[k] ?? 0;
      if (p < LEAST) continue;
      const char = ALPHABET.charAt(k);
      // A repeated character is a new one only after a blank.
      if (text.endsWith(char)) {
        same.mark += branch.mark * p;
        if (branch.blank > 0) at(text + char).mark += branch.blank * p;
      } else {
        at(text + char).mark += total(branch) * p;
      }
    }
  }
  return grown;
}

/** The likeliest path read plainly, and the least sure of its characters (its highest probability, 0..1). */
export function readPlainly(scores: StepScores): { readonly text: string; readonly leastPeak: number } {
  const { data, steps, classes } = scores;
  let text = "";
  const peaks: number[] = [];
  let last = -1;
  for (let step = 0; step < steps; step++) {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((data[step * classes + k] ?? 0) > (data[step * classes + best] ?? 0)) best = k;
    }
    const p = data[step * classes + best] ?? 0;
    if (best < ALPHABET.length) {
      if (best !== last) {
        text += ALPHABET.charAt(best);
        peaks.push(p);
      } else {
        peaks[peaks.length - 1] = Math.max(peaks[peaks.length - 1] ?? 0, p);
      }
    }
    last = best;
  }
  return { text, leastPeak: peaks.length === 0 ? 0 : Math.min(...peaks) };
}
