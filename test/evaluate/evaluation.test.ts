import { describe, expect, test } from "vitest";
import type { DigitMatch } from "../../src/domain/digit-match.js";
import type { OutcomeRecord, RecordCard } from "../../src/domain/record.js";
import { createEvaluation, type Evaluation } from "../../src/evaluate/evaluation.js";
import { evaluationPage } from "../../src/evaluate/evaluation-page.js";
import { evaluationText } from "../../src/evaluate/evaluation-text.js";
import type { Accuracy, JudgedPage, Label } from "../../src/results/accuracy.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";

const FINGERPRINT = recordCardOf().number?.fingerprint ?? "";
const NONE = { labelled: 0, right: 0 };

function accuracyOf(pages: readonly JudgedPage[]): Accuracy {
  const accepted = pages.filter(({ isAccepted }) => isAccepted);
  return {
    pages: pages.length,
    number: { labelled: pages.length, right: pages.filter(({ isRight }) => isRight).length },
    issueDate: NONE,
    expiryDate: NONE,
    bank: NONE,
    type: NONE,
    accepted: accepted.length,
    wrongAccepts: accepted.filter(({ isRight }) => !isRight).length,
    failed: 0,
    missing: 0,
  };
}

interface Read {
  readonly name?: string;
  readonly confidence: number | null;
  readonly isRight: boolean;
  readonly isAccepted?: boolean;
  readonly strata?: Record<string, string>;
  readonly more?: Partial<OutcomeRecord>;
  readonly labels?: Partial<Label>;
  readonly card?: Partial<RecordCard>;
  readonly digits?: DigitMatch | null;
}

function pageOf(read: Read): JudgedPage {
  const { name = "a", confidence, isRight, isAccepted = false, strata = {}, more = {} } = read;
  const { labels = {}, digits = null } = read;
  const card = recordCardOf({
    confidence: { number: confidence, bank: null, issueDate: null, expiryDate: null },
    ...(confidence === null ? { number: null } : {}),
    ...read.card,
  });
  const record = recordOf("b", name, isAccepted ? "accepted" : "review", { cards: [card], ...more });
  const none = { issueDate: undefined, expiryDate: undefined, bank: undefined, type: undefined };
  const label = { file: name, page: 0, number: null, fingerprint: isRight ? FINGERPRINT : "x", ...none, strata };
  return { label: { ...label, ...labels }, record, isRight, isAccepted, digits };
}

function evaluate(...reads: Read[]): Evaluation {
  const evaluation = createEvaluation();
  const pages = reads.map(pageOf);
  for (const page of pages) evaluation.add(page);
  return evaluation.result(accuracyOf(pages));
}

describe("createEvaluation", () => {
  test("is calibrated when as many are right as confidence says", () => {
    const half = Array.from({ length: 10 }, (_, i) => ({ confidence: 0.5, isRight: i < 5 }));
    expect(evaluate(...half).calibrationError).toBeCloseTo(0, 9);
    expect(evaluate({ confidence: 1, isRight: false }, { confidence: 0, isRight: false }).calibrationError).toBe(0.5);
    expect(evaluate({ confidence: null, isRight: false }).calibrationError).toBeNull();
  });

  test("sorts confidences into tenths, 1 into the last", () => {
    const { reliability } = evaluate({ confidence: 1, isRight: true }, { confidence: 0.95, isRight: false });
    expect(reliability).toHaveLength(10);
    expect(reliability[9]).toMatchObject({ pages: 2, right: 1, meanConfidence: 0.975 });
  });

  test("says what each threshold would accept, and how much of it is wrong", () => {
    const reads = [0.999, 0.99, 0.6, 0.2].map((confidence) => ({ confidence, isRight: confidence !== 0.6 }));
    const at = new Map(evaluate(...reads).coverage.map(({ threshold, ...point }) => [threshold, point]));
    expect(at.get(0.99)).toEqual({ accepted: 2, wrong: 0 });
    expect(at.get(0.5)).toEqual({ accepted: 3, wrong: 1 });
  });

  test("divides by columns with few values, and not by those that name pages", () => {
    const reads = Array.from({ length: 14 }, (_, i) => ({
      confidence: 0.9,
      isRight: i % 2 === 0,
      isAccepted: i === 1,
      strata: { tilt: i < 4 ? "10" : "9", id: String(i), same: "x" },
    }));
    expect(evaluate(...reads).strata).toEqual([
      { column: "tilt", value: "9", number: { labelled: 10, right: 5 }, accepted: 0, wrongAccepts: 0 },
      { column: "tilt", value: "10", number: { labelled: 4, right: 2 }, accepted: 1, wrongAccepts: 1 },
    ]);
  });

  test("lists wrong pages, the surest first, and takes times from calls", () => {
    const provider = { name: "local" as const, requestId: null };
    const { worst, latencyMs } = evaluate(
      { name: "low", confidence: 0.1, isRight: false, more: { provider: { ...provider, latencyMs: 10 } } },
      { name: "high", confidence: 0.9, isRight: false, more: { provider: { ...provider, latencyMs: 30 } } },
      { name: "right", confidence: 0.99, isRight: true, more: { provider: { ...provider, latencyMs: null } } },
    );
    expect(worst.map(({ source }) => source)).toEqual(["high.jpg", "low.jpg"]);
    expect(latencyMs).toEqual({ p50: 30, p95: 30 });
  });

  test("counts precision over what was read and recall over what is there, field by field", () => {
    const labels = { expiryDate: "2030-01", issueDate: null };
    const card = { issueDate: null, expiryDate: null };
    const { fields } = evaluate(
      { confidence: 0.9, isRight: true, labels, card: { ...card, expiryDate: "2030-01" } },
      { confidence: 0.9, isRight: false, labels, card: { ...card, issueDate: "2030-01" } },
      { confidence: null, isRight: false, labels, card },
    );
    expect(fields).toEqual([
      { name: "number", labelled: 3, given: 2, right: 1 },
      { name: "issueDate", labelled: 0, given: 1, right: 0 },
      { name: "expiryDate", labelled: 3, given: 1, right: 1 },
    ]);
  });

  test("sums digits over the pages that have them", () => {
    const read = { confidence: 0.9, isRight: true };
    const { digits } = evaluate(
      { ...read, digits: { labelled: 16, right: 16, extra: 0 } },
      { ...read, digits: { labelled: 16, right: 13, extra: 1 } },
      { ...read, digits: null },
    );
    expect(digits).toEqual({ labelled: 32, right: 29, extra: 1, characterErrorRate: 4 / 32 });
    expect(evaluate(read).digits).toBeNull();
  });

  test("has an answer to nothing", () => {
    expect(evaluate()).toMatchObject({ calibrationError: null, latencyMs: null, strata: [], worst: [] });
  });
});

const SOME = evaluate(
  { name: "<img src=x>&", confidence: 0.97, isRight: false, isAccepted: true, strata: { design: "a<b" } },
  { name: "b", confidence: 0.99, isRight: true, isAccepted: true, strata: { design: "c" } },
);

test("evaluationText shows shares with intervals and the strata", () => {
  const text = evaluationText(SOME, (plain) => plain);
  expect(text).toContain("number          50.0 %  1 of 2            95 %: 9.5 % – 90.5 %");
  expect(text).toContain("wrong accepts");
  expect(text).toContain("number by design");
});

test.each([SOME, evaluate()])("evaluationPage loads nothing, and names are text in it (%#)", (evaluation) => {
  const page = evaluationPage(evaluation, "local on <cards>", new Date(0));
  expect(page).toContain("local on &lt;cards&gt;, 1970-01-01 00:00 UTC");
  expect(page).not.toMatch(/<img|<script|src=(?!x)|href=|NaN|Infinity|undefined/);
});
