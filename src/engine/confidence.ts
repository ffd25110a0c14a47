import type { ConfidenceCurve } from "./settings.js";

/** What is known about a read text besides the text; each is 0 or about 1 in size. */
export interface Features {
  /** Log-probability of the text, as the reader gives it. */
  readonly logMass: number;
  /** Lead over the next best text, in nats, cut to -6..12. */
  readonly margin: number;
  /** Probability of the least sure character. */
  readonly leastPeak: number;
  /** Share of the single cuts that read the same text by themselves. */
  readonly agreement: number;
  /** How sure the finder is of the line, 0..1. */
  readonly quality: number;
}

/**
 * The probability that the text is right: a logistic curve over the features, fitted on drawn cards that were neither
 * trained on nor tested with (`training/calibrate.py`).
 */
export function confidenceOf(features: Features, curve: ConfidenceCurve): number {
  const terms: Readonly<Record<string, number>> = terminology(features);
  let z = curve.bias;
  for (const [name, weight] of Object.entries(curve.weights)) z += weight * (terms[name] ?? 0);
  return Math.min(curve.ceiling, 1 / (1 + Math.exp(-z)));
}

/** The features on the scales that the curve was fitted with. */
export function terminology(features: Features): Record<string, number> {
  const margin = Math.max(-6, Math.min(12, features.margin));
  return {
    // -log10 of one minus the mass: each nine counts the same.
    nines: -Math.log10(1 - Math.min(Math.exp(Math.min(features.logMass, 0)), 1 - 1e-6)),
    logMass: Math.max(features.logMass, -12),
    margin,
    peak: -Math.log10(1 - Math.min(features.leastPeak, 1 - 1e-5)),
    agreement: features.agreement,
    quality: features.quality,
  };
}

/** Lowers a probability whose odds are worth only `factor` of what they seem. @param factor 0..1 */
export function discounted(probability: number, factor: number): number {
  const odds = (probability / Math.max(1 - probability, 1e-9)) * factor;
  return odds / (1 + odds);
}
