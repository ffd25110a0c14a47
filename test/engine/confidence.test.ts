import { describe, expect, it } from "vitest";
import { confidenceOf, discounted, type Features } from "../../src/engine/confidence.js";
import { parseSettings } from "../../src/engine/settings.js";

const SURE: Features = { logMass: -0.001, margin: 9, leastPeak: 0.999, agreement: 1, quality: 0.9 };
const CURVE = { bias: -2, ceiling: 0.999, weights: { nines: 2, agreement: 1 } };

describe("confidenceOf", () => {
  it("is a probability that grows with its features and never passes the ceiling", () => {
    const unsure = confidenceOf({ ...SURE, logMass: -0.7 }, CURVE);
    const sure = confidenceOf(SURE, CURVE);
    expect(unsure).toBeGreaterThan(0);
    expect(sure).toBeGreaterThan(unsure);
    expect(confidenceOf({ ...SURE, logMass: 0 }, CURVE)).toBe(0.999);
  });

  it("stays finite on the worst features", () => {
    const worst: Features = { logMass: Number.NEGATIVE_INFINITY, margin: -999, leastPeak: 0, agreement: 0, quality: 0 };
    const weights = { nines: 1, logMass: 1, margin: 1, peak: 1, agreement: 1, quality: 1 };
    expect(confidenceOf(worst, { ...CURVE, weights })).toBeGreaterThanOrEqual(0);
  });
});

describe("discounted", () => {
  it("lowers odds, never raises them", () => {
    expect(discounted(0.9, 0.1)).toBeCloseTo(0.4737, 3);
    expect(discounted(0.9, 1)).toBeCloseTo(0.9);
    expect(discounted(1, 0.5)).toBeLessThanOrEqual(1);
  });
});

describe("parseSettings", () => {
  const good = { acceptThreshold: 0.9, luhnPenalty: 3, lengthPenalty: 0.1, number: CURVE, date: CURVE };

  it("reads what training wrote, and lets what does not add up never raise confidence", () => {
    const settings = parseSettings(JSON.stringify(good));
    expect(settings.number).toEqual(CURVE);
    expect(settings).toMatchObject({ luhnPenalty: 1, lengthPenalty: 0.1 });
  });

  it.each([{ ...good, acceptThreshold: "0.9" }, { ...good, number: {} }, { ...good, date: null }, 7])(
    "refuses %j",
    (raw) => {
      expect(() => parseSettings(JSON.stringify(raw))).toThrow(/engine\.json/);
    },
  );
});
