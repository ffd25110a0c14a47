import { describe, expect, test } from "vitest";
import type { AnswerCard } from "../../src/domain/answer.js";
import { Pan } from "../../src/domain/pan.js";
import { normalizeAnswer, normalizeType } from "../../src/verify/normalize-answer.js";
import { cardNumber } from "../helpers/card-numbers.js";

const NOW = new Date("2026-11-22T08:00:00Z");
const NOTHING: AnswerCard = {
  number: null,
  bankName: null,
  bankCode: null,
  type: null,
  issueDate: null,
  expiryDate: null,
  confidence: {},
  keypoints: {},
};
/** Of 招商银行 by the issuer list. */
const CMB = cardNumber("622588", 16);

function normalize(card: Partial<AnswerCard>) {
  const answer = { provider: "huawei", requestId: null, latencyMs: 1, billable: true } as const;
  const reading = normalizeAnswer({ ...answer, cards: [{ ...NOTHING, ...card }] }, NOW);
  expect(reading.provider).toBe("huawei");
  return reading.cards[0];
}

describe("normalizeType", () => {
  test.each([
    // Huawei's pages and its SDK.
    ["借记卡", "debit"],
    ["储蓄卡", "debit"],
    ["信用卡", "credit"],
    ["贷记卡", "credit"],
    ["准贷记卡", "semi-credit"],
    ["预付费卡", "prepaid"],
    ["预付卡", "prepaid"],
    // The embedded engine's, by the issuer list.
    ["debit", "debit"],
    ["credit", "credit"],
    ["semi-credit", "semi-credit"],
    ["prepaid", "prepaid"],
    // Codes that others use.
    ["DC", "debit"],
    ["CC", "credit"],
    ["SCC", "semi-credit"],
    ["PC", "prepaid"],
    [" 借记卡 ", "debit"],
    ["unknown", "unknown"],
    ["单位结算卡", "unknown"],
    ["", "unknown"],
    [null, "unknown"],
  ])("%s is %s", (text, type) => {
    expect(normalizeType(text)).toBe(type);
  });
});

describe("normalizeAnswer", () => {
  test("nothing given, nothing made up", () => {
    expect(normalize({})).toEqual({
      number: null,
      bank: null,
      network: null,
      type: "unknown",
      issueDate: null,
      expiryDate: null,
      confidence: {},
      keypoints: {},
    });
    expect(normalize({ bankName: " ", type: "", issueDate: "", expiryDate: " ", number: new Pan("****") })).toEqual(
      normalize({}),
    );
  });

  test("a number brings its network, and the code of the bank that is named", () => {
    const card = normalize({ number: new Pan(CMB), bankName: " 招商银行股份有限公司 ", expiryDate: "12/20" });
    expect(card).toMatchObject({
      bank: { name: "招商银行股份有限公司", code: "CMB" },
      network: "unionpay",
      type: "unknown",
      expiryDate: "2020-12",
    });
  });

  test.each<[string, Partial<AnswerCard>, unknown]>([
    ["no name, no bank, although the number has one", { number: new Pan(CMB) }, null],
    [
      "the provider's code before the list's",
      { number: new Pan(CMB), bankName: "招商银行", bankCode: "X" },
      { name: "招商银行", code: "X" },
    ],
    ["no code of another bank", { number: new Pan(CMB), bankName: "兴业银行" }, { name: "兴业银行", code: null }],
    ["no number, no code", { bankName: "招商银行" }, { name: "招商银行", code: null }],
  ])("%s", (_, card, bank) => {
    expect(normalize(card)?.bank).toEqual(bank);
  });

  test("confidence and places go on as they are", () => {
    const point = { x: 1, y: 2 };
    const card = { confidence: { number: 0.5 }, keypoints: { number: [point, point, point, point] } } as const;
    expect(normalize(card)).toMatchObject(card);
  });
});
