import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ProviderName } from "../../src/domain/answer.js";
import { Pan } from "../../src/domain/pan.js";
import { type JudgedReading, REASONS, type ReadingCard, type Reason, VERDICTS } from "../../src/domain/reading.js";
import { judge } from "../../src/verify/judge.js";
import { cardNumber, luhnDigit } from "../helpers/card-numbers.js";

const THRESHOLDS = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };

const GOOD = cardNumber("622588", 16);
const OTHER = cardNumber("622588", 16, 2);
const VISA = cardNumber("4", 16);
/** The same with a wrong check digit. */
const broken = (number: string) => number.slice(0, -1) + ((luhnDigit(number.slice(0, -1)) + 1) % 10);

function card(number: string | null, more: Partial<ReadingCard> = {}): ReadingCard {
  return {
    number: number === null ? null : new Pan(number),
    bank: null,
    network: null,
    type: "unknown",
    issueDate: null,
    expiryDate: null,
    confidence: { number: 0.95 },
    keypoints: {},
    ...more,
  };
}

const unsure = { confidence: { number: 0.5 } };
const bank = (name: string) => ({ bank: { name, code: null } });

function reading(provider: ProviderName, ...cards: ReadingCard[]): JudgedReading {
  return { reading: { provider, cards }, cardsPerImage: provider === "huawei" ? "one" : "many" };
}

type Row = [what: string, cards: ReadingCard[], verdict: string, reasons: Reason[]];

describe("judge, of one provider", () => {
  test.each<Row>([
    ["a good number", [card(GOOD)], "accepted", []],
    ["as sure as the threshold", [card(GOOD, { confidence: { number: 0.9 } })], "accepted", []],
    ["a number as printed", [card(GOOD.replace(/(.{4})/g, "$1 "))], "accepted", []],
    ["of a network alone", [card(VISA)], "accepted", []],
    ["the bank that its prefix says", [card(GOOD, bank("招商银行股份有限公司"))], "accepted", []],
    ["several good ones", [card(GOOD), card(OTHER)], "accepted", []],
    ["long expired", [card(GOOD, { expiryDate: "1999-01" })], "accepted", []],
    ["no card", [], "rejected", ["no-card"]],
    ["no number", [card(null)], "rejected", ["number-missing"]],
    ["too short", [card("62258812345")], "rejected", ["number-length"]],
    ["too long", [card(`${GOOD}1234`)], "rejected", ["number-length"]],
    ["too long for one card", [card(GOOD + OTHER, unsure)], "review", ["several-cards"]],
    ["too long for one card, of Visa", [card(VISA + GOOD, unsure)], "review", ["several-cards"]],
    ["a wrong check digit", [card(broken(GOOD))], "review", ["luhn"]],
    ["a wrong check digit, unsure", [card(broken(GOOD), unsure)], "review", ["luhn", "confidence-low"]],
    ["a wrong check digit of Visa", [card(broken(VISA))], "review", ["luhn"]],
    ["the same, unsure", [card(broken(VISA), unsure)], "rejected", ["luhn", "confidence-low"]],
    ["the same, unrated", [card(broken(VISA), { confidence: {} })], "rejected", ["luhn", "confidence-missing"]],
    ["letters for digits", [card(GOOD.replace(/.$/, (last) => `${last}O`))], "review", ["number-foreign-characters"]],
    ["unsure", [card(GOOD, unsure)], "review", ["confidence-low"]],
    ["unrated", [card(GOOD, { confidence: {} })], "review", ["confidence-missing"]],
    ["an unknown issuer", [card(cardNumber("9", 16))], "review", ["issuer-unknown"]],
    ["a length its issuer does not have", [card(cardNumber("622588", 18))], "review", ["length-unusual"]],
    ["a length its network does not have", [card(cardNumber("37", 16))], "review", ["length-unusual"]],
    ["another bank than its prefix says", [card(GOOD, bank("兴业银行"))], "review", ["bank-mismatch"]],
    ["one good, one without a number", [card(GOOD), card(null)], "review", ["number-missing"]],
    ["one good, one misread", [card(GOOD), card(broken(VISA), unsure)], "review", ["luhn", "confidence-low"]],
    ["none good", [card(null), card(broken(VISA), unsure)], "rejected", ["number-missing", "luhn", "confidence-low"]],
  ])("%s", (_, cards, verdict, reasons) => {
    expect(judge([reading("shiliuai", ...cards)], THRESHOLDS)).toEqual({ verdict, reasons });
  });

  test("each provider has a threshold of its own", () => {
    const thresholds = { huawei: 0.99, shiliuai: 0.5, local: 0.9 };
    expect(judge([reading("huawei", card(GOOD))], thresholds).verdict).toBe("review");
    expect(judge([reading("shiliuai", card(GOOD))], thresholds).verdict).toBe("accepted");
  });

  test("nobody's reading is no card", () => {
    expect(judge([], THRESHOLDS)).toEqual({ verdict: "rejected", reasons: ["no-card"] });
  });
});

describe("judge, of two providers", () => {
  const first = (...cards: ReadingCard[]) => reading("local", ...cards);
  test.each<[string, JudgedReading, JudgedReading, string, Reason[]]>([
    ["the same dispels low confidence", first(card(GOOD, unsure)), reading("huawei", card(GOOD)), "accepted", []],
    ["the same, both unsure", first(card(GOOD, unsure)), reading("huawei", card(GOOD, unsure)), "accepted", []],
    [
      "the same, written otherwise",
      first(card(GOOD, unsure)),
      reading("huawei", card(GOOD.replace(/(.{4})/g, "$1 "))),
      "accepted",
      [],
    ],
    [
      "the same of an unknown issuer",
      first(card(cardNumber("9", 16))),
      reading("huawei", card(cardNumber("9", 16))),
      "accepted",
      [],
    ],
    ["the same of a strange bank", first(card(GOOD, bank("兴业银行"))), reading("huawei", card(GOOD)), "accepted", []],
    [
      "the same, wrong check digit",
      first(card(broken(GOOD), unsure)),
      reading("huawei", card(broken(GOOD))),
      "review",
      ["luhn", "confidence-low"],
    ],
    [
      "the same of a strange length",
      first(card(cardNumber("622588", 18))),
      reading("huawei", card(cardNumber("622588", 18))),
      "review",
      ["length-unusual"],
    ],
    [
      "another",
      first(card(GOOD, unsure)),
      reading("huawei", card(OTHER)),
      "review",
      ["confidence-low", "providers-disagree"],
    ],
    ["none", first(card(GOOD, unsure)), reading("huawei"), "review", ["confidence-low"]],
    ["no number", first(card(GOOD, unsure)), reading("huawei", card(null)), "review", ["confidence-low"]],
    [
      "several seen by the second, one by the first who cannot tell",
      reading("huawei", card(GOOD, unsure)),
      reading("local", card(GOOD), card(OTHER)),
      "review",
      ["several-cards"],
    ],
    [
      "the same two in another order",
      first(card(GOOD, unsure), card(OTHER)),
      reading("shiliuai", card(OTHER), card(GOOD)),
      "accepted",
      [],
    ],
    [
      "one of two, by one who gives one",
      first(card(GOOD), card(OTHER, unsure)),
      reading("huawei", card(GOOD)),
      "review",
      ["confidence-low"],
    ],
    [
      "one of two, by one who could give both",
      first(card(GOOD), card(OTHER, unsure)),
      reading("shiliuai", card(GOOD)),
      "review",
      ["confidence-low", "providers-disagree"],
    ],
    [
      "the one of two that has a number",
      first(card(GOOD, unsure), card(null)),
      reading("huawei", card(GOOD)),
      "review",
      ["confidence-low", "number-missing"],
    ],
  ])("%s", (_, one, other, verdict, reasons) => {
    expect(judge([one, other], THRESHOLDS)).toEqual({ verdict, reasons });
  });

  test("a third that agrees does not undo a disagreement", () => {
    const readings = [first(card(GOOD, unsure)), reading("huawei", card(OTHER)), reading("shiliuai", card(GOOD))];
    expect(judge(readings, THRESHOLDS)).toEqual({ verdict: "review", reasons: ["providers-disagree"] });
  });
});

test("judge never throws, gives closed words, and accepts with no reason alone", () => {
  const anyCard = fc
    .tuple(
      fc.option(fc.string({ unit: fc.constantFrom(..."0123456789 O-") }), { nil: null }),
      fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    )
    .map(([number, rating]) => card(number, { confidence: rating === null ? {} : { number: rating } }));
  const anyReading = fc
    .tuple(fc.constantFrom<ProviderName>("huawei", "shiliuai", "local"), fc.array(anyCard, { maxLength: 3 }))
    .map(([provider, cards]) => reading(provider, ...cards));
  fc.assert(
    fc.property(fc.array(anyReading, { maxLength: 3 }), (readings) => {
      const { verdict, reasons } = judge(readings, THRESHOLDS);
      expect(VERDICTS).toContain(verdict);
      expect(verdict === "accepted").toBe(reasons.length === 0);
      expect(new Set(reasons).size).toBe(reasons.length);
      for (const reason of reasons) expect(REASONS).toContain(reason);
    }),
    { numRuns: 500 },
  );
});
