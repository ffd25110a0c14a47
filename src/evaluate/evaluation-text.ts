import type { Score } from "../results/accuracy.js";
import type { Evaluation } from "./evaluation.js";
import { FIELD_NAMES } from "./fields.js";
import { wilson } from "./wilson.js";

const WIDTH = 14;

/** The evaluation as a table for a terminal. */
export function evaluationText(evaluation: Evaluation, bold: (text: string) => string): string {
  const { accuracy, calibrationError, fields, latencyMs, strata } = evaluation;
  const { pages, accepted, wrongAccepts, missing } = accuracy;
  const scores: readonly (readonly [string, Score])[] = [
    ["number", accuracy.number],
    ["expiry date", accuracy.expiryDate],
    ["issue date", accuracy.issueDate],
    ["bank", accuracy.bank],
    ["type", accuracy.type],
    ["coverage", { labelled: pages, right: accepted }],
    ["wrong accepts", { labelled: accepted, right: wrongAccepts }],
  ];
  const lines = scores.filter(([, { labelled }]) => labelled > 0).map(([name, score]) => shareLine(name, score));
  lines.push(...digitLines(evaluation.digits));
  if (calibrationError !== null)
    lines.push(`  ${"confidence".padEnd(WIDTH)}off by ${percent(calibrationError)} on average`);
  if (latencyMs !== null) lines.push(`  ${"a call".padEnd(WIDTH)}p50 ${ms(latencyMs.p50)}, p95 ${ms(latencyMs.p95)}`);
  if (missing > 0) lines.push(`  ${missing} labelled pages are not in the source`);
  return [
    "",
    bold(`  ${pages} labelled pages`),
    ...lines,
    ...readLines(fields, bold),
    ...strataLines(strata, bold),
    "",
  ].join("\n");
}

function digitLines(digits: Evaluation["digits"]): string[] {
  if (digits === null || digits.characterErrorRate === null) return [];
  const rate = `  ${"CER".padEnd(WIDTH)}${percent(digits.characterErrorRate, 2).padStart(8)}  of the digits missed, mistaken or made up`;
  return [shareLine("digits", digits), rate];
}

/** Precision; recall is in the lines above. */
function readLines(fields: Evaluation["fields"], bold: (text: string) => string): string[] {
  const given = fields.filter((field) => field.given > 0);
  const lines = given.map(({ name, right, given: labelled }) => shareLine(FIELD_NAMES[name], { right, labelled }));
  return lines.length === 0 ? [] : ["", bold("  right, of what was read"), ...lines];
}

function strataLines(strata: Evaluation["strata"], bold: (text: string) => string): string[] {
  const columns = [...new Set(strata.map(({ column }) => column))];
  return columns.flatMap((column) => [
    "",
    bold(`  number by ${column}`),
    ...strata.filter((stratum) => stratum.column === column).map(({ value, number }) => shareLine(value, number)),
  ]);
}

/** A share with its 95 % interval: with few pages the figure alone says more than it knows. */
function shareLine(name: string, { right, labelled }: Score): string {
  const [low, high] = wilson(right, labelled);
  const of = `${right} of ${labelled}`;
  return `  ${name.padEnd(WIDTH)}${percent(right / labelled).padStart(8)}  ${of.padEnd(18)}95 %: ${percent(low)} – ${percent(high)}`;
}

function percent(value: number, digits = 1): string {
  return `${(100 * value).toFixed(digits)} %`;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
