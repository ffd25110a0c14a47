import { expect, test } from "vitest";
import { decide } from "../../../src/app/review/decide.js";
import type { DecidedRow } from "../../../src/app/review/rows.js";
import { numberField } from "../../../src/domain/card-vault.js";
import { Pan } from "../../../src/domain/pan.js";
import type { OutcomeRecord, RecordCard } from "../../../src/domain/record.js";
import { type Review, withoutReview, withReview } from "../../../src/domain/review.js";
import { recordNumber } from "../../../src/recognition/make-record.js";
import { createVault } from "../../../src/vault/vault.js";
import { cardNumber } from "../../helpers/card-numbers.js";
import { imageKeyOf } from "../../helpers/image-keys.js";
import { recordCardOf } from "../../helpers/record-card.js";
import { recordOf } from "../../helpers/records.js";
import { testKeyring } from "../../vault/test-keyring.js";

const vault = createVault(testKeyring());
const deps = { vault, seal: vault, by: "li.na", now: () => new Date("2026-11-23T08:00:00.000Z") };
const MACHINE = cardNumber("622588", 16, 1);
const PERSON = cardNumber("4", 16, 2);
/** With its last digit one too many. */
const MISTYPED = PERSON.slice(0, -1) + ((Number(PERSON.at(-1)) + 1) % 10);

const request = recordOf("b", 1).request;
const cardOf = async (digits: string, index = 0): Promise<RecordCard> =>
  recordCardOf({ number: await recordNumber(new Pan(digits), index, request, vault) });
async function inReview(...digits: string[]): Promise<OutcomeRecord> {
  const cards = await Promise.all((digits.length === 0 ? [MACHINE] : digits).map(cardOf));
  return recordOf("b", 1, "review", { cards, reasons: ["confidence-low"] });
}
const row = (decision: string, more: Partial<DecidedRow> = {}): DecidedRow => ({
  line: 2,
  request,
  card: 0,
  decision,
  number: null,
  bank: "",
  issueDate: "",
  expiryDate: "",
  ...more,
});
const opened = async ({ cards }: Review) =>
  Promise.all(
    cards.map(async ({ number }, i) => {
      const pan = await vault.openNumber(number?.jwe ?? "", { request, field: numberField(i) });
      return [PERSON, MACHINE].find((digits) => pan.equals(new Pan(digits)));
    }),
  );
const decided = async (record: OutcomeRecord, ...rows: DecidedRow[]): Promise<Review> => {
  const review = await decide(record, rows, deps);
  if ("message" in review) throw new Error(review.message);
  return review;
};

test("confirmed: the machine's cards stand, and are the person's now", async () => {
  const record = await inReview();
  const review = await decided(record, row("confirm", { number: new Pan(MACHINE.replace(/(.{4})/g, "$1 ")) }));
  expect(review).toEqual({
    imageKey: record.image.key,
    decision: "confirmed",
    by: "li.na",
    at: "2026-11-23T08:00:00.000Z",
    cards: record.cards,
  });
});

test("corrected: number, network and fields are the person's, sealed for their place", async () => {
  const record = await inReview();
  const change = { number: new Pan(PERSON), bank: "工商银行", expiryDate: "2031-05" };
  const review = await decided(record, row("correct", change));
  expect(review.decision).toBe("corrected");
  expect(review.cards[0]).toMatchObject({
    network: "visa",
    bank: { name: "工商银行", code: null },
    issueDate: "2010-12",
    expiryDate: "2031-05",
  });
  expect(review.cards[0]?.number).toMatchObject({ masked: new Pan(PERSON).masked, luhn: true });
  expect(await opened(review)).toEqual([PERSON]);
  expect(JSON.stringify(review)).not.toContain(PERSON);
});

test("of several cards one is rejected: the others open at their new place", async () => {
  const record = await inReview(PERSON, MACHINE);
  const review = await decided(record, row("reject"), row("confirm", { card: 1 }));
  expect(review.decision).toBe("corrected");
  expect(await opened(review)).toEqual([MACHINE]);
});

test("rejected: no card is left", async () => {
  expect(await decided(await inReview(), row("reject"))).toMatchObject({ decision: "rejected", cards: [] });
});

test("a number with a wrong check digit is taken where the card is said to have it so", async () => {
  const review = await decided(await inReview(), row("correct-anyway", { number: new Pan(MISTYPED) }));
  expect(review.cards[0]?.number?.luhn).toBe(false);
});

test.each([
  ["confirm", { number: new Pan(PERSON) }, "was changed"],
  ["confirm", { bank: "工商银行" }, "was changed"],
  ["correct", {}, "nothing was changed"],
  ["correct", { number: new Pan(MACHINE) }, "nothing was changed"],
  ["correct", { number: new Pan(MISTYPED) }, "check digit"],
  ["correct", { number: new Pan("6.22588E+15") }, "rounded"],
  ["correct", { number: new Pan("12345") }, "5 digits"],
  ["correct", { number: new Pan(PERSON), expiryDate: "Dec-20" }, "2020-12"],
  ["correct", { number: new Pan(PERSON), card: 1 }, "no decision"],
  ["yes", {}, "none of confirm"],
] as const)("refuses %s with %j, and says why without what was written", async (decision, more, why) => {
  const problem = await decide(await inReview(), [row(decision, more)], deps);
  expect(problem).toEqual({ line: 2, message: expect.stringContaining(why) });
  expect(JSON.stringify(problem)).not.toMatch(/\d{6}/);
});

test("refuses rows that do not fit the cards", async () => {
  const record = await inReview(PERSON, MACHINE);
  const rejected = { ...row("reject"), line: 3 };
  expect(await decide(record, [rejected], deps)).toMatchObject({
    line: 3,
    message: expect.stringContaining("card 1 of 2"),
  });
  expect(await decide(record, [row("reject"), rejected], deps)).toMatchObject({ message: "card 0 is decided twice" });
  const stray = row("reject", { card: 7, line: 9 });
  expect(await decide(record, [row("reject"), row("reject", { card: 1 }), stray], deps)).toMatchObject({ line: 9 });
});

test("a decision keeps the machine's outcome beside it, and stands over another one of the same image alone", async () => {
  const record = await inReview();
  const review = await decided(record, row("reject"));
  const outcome = withReview(record, review);
  expect(outcome).toMatchObject({ outcome: "rejected", reasons: [], cards: [], finishedAt: review.at });
  expect(outcome.review).toMatchObject({
    decision: "rejected",
    by: "li.na",
    machine: { outcome: "review", cards: record.cards },
  });
  expect(withoutReview(outcome)).toEqual({ ...record, finishedAt: review.at });
  const later = { ...record, outcome: "accepted" as const, finishedAt: "2026-12-01T00:00:00.000Z" };
  expect(withReview(later, review)).toMatchObject({ outcome: "rejected", finishedAt: later.finishedAt });
  const other = { ...record, image: { ...record.image, key: imageKeyOf("another") } };
  expect(withReview(other, review)).toBe(other);
  const failed = { ...record, outcome: "failed" as const };
  expect(withReview(failed, review)).toBe(failed);
});
