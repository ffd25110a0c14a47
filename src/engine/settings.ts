/** How raw scores become the probability that a text is right: a logistic curve over features, see `confidence.ts`. */
export interface ConfidenceCurve {
  readonly bias: number;
  readonly weights: Readonly<Record<string, number>>;
  /** No answer is surer than the calibration set could show. */
  readonly ceiling: number;
}

/** What was measured when the models were made and belongs to them; lies in `models/engine.json`. */
export interface EngineSettings {
  /** Numbers with at least this confidence are wrong in at most 1 of 1,000 drawn cards; see `models/README.md`. */
  readonly acceptThreshold: number;
  readonly number: ConfidenceCurve;
  readonly date: ConfidenceCurve;
  /** Odds are multiplied by this where the check digit is wrong; at most 1. */
  readonly luhnPenalty: number;
  /** The same where the number is not as long as its issuer's numbers are. */
  readonly lengthPenalty: number;
}

/** Reads `models/engine.json`. @throws Error when a field is missing or no number */
export function parseSettings(json: string): EngineSettings {
  const raw: unknown = JSON.parse(json);
  return {
    acceptThreshold: numberAt(raw, "acceptThreshold"),
    number: curveAt(raw, "number"),
    date: curveAt(raw, "date"),
    luhnPenalty: Math.min(1, numberAt(raw, "luhnPenalty")),
    lengthPenalty: Math.min(1, numberAt(raw, "lengthPenalty")),
  };
}

function fieldAt(raw: unknown, name: string): unknown {
  if (typeof raw !== "object" || raw === null) throw new Error(`engine.json: no object around ${name}`);
  return (raw as Readonly<Record<string, unknown>>)[name];
}

function numberAt(raw: unknown, name: string): number {
  const value = fieldAt(raw, name);
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`engine.json: ${name} is no number`);
  return value;
}

function curveAt(raw: unknown, name: string): ConfidenceCurve {
  const curve = fieldAt(raw, name);
  const weights = fieldAt(curve, "weights");
  if (typeof weights !== "object" || weights === null) throw new Error(`engine.json: ${name} has no weights`);
  const names = Object.keys(weights);
  return {
    bias: numberAt(curve, "bias"),
    ceiling: numberAt(curve, "ceiling"),
    weights: Object.fromEntries(names.map((feature) => [feature, numberAt(weights, feature)])),
  };
}
