import { describe, expect, it } from "vitest";
import { ALPHABET, beamSearch, DIGITS, readPlainly, type StepScores } from "../../src/engine/decode.js";

const BLANK = "-";

/** Scores of a few steps, each a map of characters (`-` the blank) to probabilities. */
function scoresOf(rows: readonly Readonly<Record<string, number>>[]): StepScores {
  const classes = ALPHABET.length + 1;
  const data = new Float32Array(rows.length * classes);
  rows.forEach((row, step) => {
    for (const [char, p] of Object.entries(row)) {
      data[step * classes + (char === BLANK ? ALPHABET.length : ALPHABET.indexOf(char))] = p;
    }
  });
  return { data, steps: rows.length, classes };
}

/** Every alignment enumerated: what the beam must come to on strips short enough. */
function byBruteForce(rows: readonly Readonly<Record<string, number>>[]): Map<string, number> {
  const out = new Map<string, number>();
  const walk = (step: number, path: string, p: number): void => {
    const row = rows[step];
    if (row === undefined) {
      const text = path.replace(/(.)\1+/g, "$1").replaceAll(BLANK, "");
      out.set(text, (out.get(text) ?? 0) + p);
      return;
    }
    for (const [char, q] of Object.entries(row)) walk(step + 1, path + char, p * q);
  };
  walk(0, "", 1);
  return out;
}

const ROWS = [
  { "1": 0.6, "7": 0.3, "-": 0.1 },
  { "1": 0.4, "7": 0.1, "-": 0.5 },
  { "1": 0.5, "/": 0.2, "-": 0.3 },
  { "0": 0.7, "-": 0.3 },
];

describe("beamSearch", () => {
  it("gives each text the sum of its alignments", () => {
    const truth = byBruteForce(ROWS);
    const found = beamSearch(scoresOf(ROWS));
    expect(found.length).toBeGreaterThan(5);
    for (const { text, logMass } of found.slice(0, 5)) expect(Math.exp(logMass)).toBeCloseTo(truth.get(text) ?? 0, 5);
    const best = [...truth].sort((a, b) => b[1] - a[1])[0]?.[0];
    expect(found[0]?.text).toBe(best);
  });

  it("keeps a doubled digit apart by a blank", () => {
    const sure = [{ "8": 1 }, { "-": 1 }, { "8": 1 }, { "8": 1 }];
    expect(beamSearch(scoresOf(sure))[0]?.text).toBe("88");
  });

  it("does not underflow on long strips", () => {
    const long = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? { "5": 0.6, "6": 0.4 } : { "-": 1 }));
    const [best] = beamSearch(scoresOf(long));
    expect(best?.text).toBe("5".repeat(200));
    expect(best?.logMass).toBeCloseTo(200 * Math.log(0.6), 1);
  });

  it("gives only texts of the characters that may be, with what probability is left to them", () => {
    const [best, ...others] = beamSearch(scoresOf([{ "1": 1 }, { "-": 1 }, { "/": 0.7, "7": 0.3 }]), DIGITS);
    expect(best?.text).toBe("17");
    expect(best?.logMass).toBeCloseTo(Math.log(0.3), 6);
    expect(others.filter(({ text }) => text.includes("/"))).toEqual([]);
  });

  it("reads nothing in nothing", () => {
    expect(beamSearch(scoresOf([{ "-": 1 }]))[0]).toEqual({ text: "", logMass: 0 });
    expect(beamSearch({ data: new Float32Array(0), steps: 0, classes: 12 })[0]?.text).toBe("");
  });
});

describe("readPlainly", () => {
  it("follows the likeliest path and names its weakest character", () => {
    const { text, leastPeak } = readPlainly(scoresOf(ROWS));
    expect(text).toBe("110");
    expect(leastPeak).toBeCloseTo(0.5);
  });

  it("has no sure character in an empty strip", () => {
    expect(readPlainly(scoresOf([{ "-": 1 }]))).toEqual({ text: "", leastPeak: 0 });
  });
});
