import { expect, test } from "vitest";
import { numberField } from "../../src/domain/card-vault.js";
import { ERROR_CATALOGUE } from "../../src/domain/errors.js";
import { Pan } from "../../src/domain/pan.js";
import type { ReadingCard } from "../../src/domain/reading.js";
import { recordSchema } from "../../src/domain/record.js";
import { recordFailure, recordVerdict } from "../../src/recognition/make-record.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { requestOf } from "../helpers/image-keys.js";
import { testKeyring } from "../vault/test-keyring.js";

const vault = createVault(testKeyring());
const FACTS = {
  request: requestOf("b", "a"),
  imageKey: null,
  page: 0,
  name: { source: "a.jpg" },
  batch: "b",
  ref: null,
  calls: 1,
  attempts: 1,
  finishedAt: new Date("2026-11-22T08:00:00.000Z"),
};
const NOTHING: ReadingCard = {
  number: null,
  bank: null,
  network: null,
  type: "unknown",
  issueDate: null,
  expiryDate: null,
  confidence: {},
  keypoints: {},
};

test("each card's number opens for its own place in its own record", async () => {
  const pans = [1, 2].map((seed) => new Pan(cardNumber("622588", 16, seed)));
  const cards = pans.map((number) => ({ ...NOTHING, number, confidence: { number: 0.98765432 } }));
  const judgement = { verdict: "review", reasons: ["providers-disagree"] } as const;
  const record = await recordVerdict(FACTS, judgement, cards, null, null, vault);
  expect(recordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
  for (const [index, pan] of pans.entries()) {
    const jwe = record.cards[index]?.number?.jwe ?? "";
    const binding = { request: FACTS.request, field: numberField(index) };
    expect((await vault.openNumber(jwe, binding)).equals(pan)).toBe(true);
    await expect(vault.openNumber(jwe, { ...binding, field: numberField(1 - index) })).rejects.toThrow();
    await expect(vault.openNumber(jwe, { ...binding, request: "r_another" })).rejects.toThrow();
  }
  expect(record.cards[0]?.confidence).toEqual({ number: 0.9877, bank: null, issueDate: null, expiryDate: null });
});

test("a card without a number, and no card at all, are outcomes too", async () => {
  const judgement = { verdict: "rejected", reasons: ["number-missing"] } as const;
  const one = await recordVerdict(FACTS, judgement, [NOTHING], null, "r_first", vault);
  expect(one).toMatchObject({ outcome: "duplicate", duplicateOf: "r_first", cards: [{ number: null }] });
  const none = await recordVerdict(FACTS, { verdict: "rejected", reasons: ["no-card"] }, [], null, null, vault);
  expect(none).toMatchObject({ outcome: "rejected", reasons: ["no-card"], cards: [] });
  for (const record of [one, none]) recordSchema.parse(JSON.parse(JSON.stringify(record)));
});

test("a failure says what happened and what to do", () => {
  const record = recordFailure(FACTS, { code: "image-empty", message: "the file has no bytes" }, null);
  const message = `the file has no bytes: ${ERROR_CATALOGUE["image-empty"].hint}`;
  expect(record).toMatchObject({ outcome: "failed", code: "image-empty", message, reasons: [], cards: [] });
});
