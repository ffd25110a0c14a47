import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerCard, CARD_FIELDS, PROVIDER_NAMES, type StoredAnswer } from "../../src/domain/answer.js";
import { ERROR_CODES } from "../../src/domain/errors.js";
import type { Quad } from "../../src/domain/geometry.js";
import { Pan, revealRawPan } from "../../src/domain/pan.js";
import { decodeStored, encodeStored } from "../../src/vault/answer-codec.js";
import { openAnswer, sealAnswer } from "../../src/vault/sealed-answer.js";
import { VaultError } from "../../src/vault/vault-error.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { rotate, testKeyring } from "./test-keyring.js";

const keyring = testKeyring();
const KEY = "abcdefghijklmnopqrstuv";

const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const text = fc.option(fc.string({ unit: "binary" }));
const point = fc.record({ x: number, y: number });
const quad: fc.Arbitrary<Quad> = fc.tuple(point, point, point, point);
const byField = <T>(value: fc.Arbitrary<T>) =>
  fc.record(
    Object.fromEntries(CARD_FIELDS.map((field) => [field, value])) as Record<
      (typeof CARD_FIELDS)[number],
      fc.Arbitrary<T>
    >,
    { requiredKeys: [] },
  );
const card: fc.Arbitrary<AnswerCard> = fc.record({
  number: text.map((raw) => (raw === null ? null : new Pan(raw))),
  bankName: text,
  bankCode: text,
  type: text,
  issueDate: text,
  expiryDate: text,
  confidence: byField(number),
  keypoints: byField(quad),
});
const call = { requestId: text, latencyMs: number, billable: fc.boolean() };
const common = { request: fc.string(), calls: fc.nat() };
const stored: fc.Arbitrary<StoredAnswer> = fc.oneof(
  fc.record({
    kind: fc.constant("answer" as const),
    answer: fc.record({ provider: fc.constantFrom(...PROVIDER_NAMES), cards: fc.array(card), ...call }),
    ...common,
  }),
  fc.record({
    kind: fc.constant("refusal" as const),
    code: fc.constantFrom(...ERROR_CODES),
    message: fc.string(),
    vendorCode: text,
    ...call,
    ...common,
  }),
);

/** As plain data, with the raw text of numbers: what must survive. */
function laidOpen(answer: StoredAnswer): unknown {
  if (answer.kind === "refusal") return answer;
  const cards = answer.answer.cards.map((each) => ({ ...each, number: each.number && revealRawPan(each.number) }));
  return { ...answer, answer: { ...answer.answer, cards } };
}

const corner = (x: number, y: number): Quad => [
  { x, y },
  { x: x + 412, y },
  { x: x + 412, y: y + 37 },
  { x, y: y + 37 },
];
const RAW = cardNumber().replace(/(.{4})/g, "$1 ");
const TYPICAL: StoredAnswer = {
  kind: "answer",
  request: "r_0123456789abcdef",
  calls: 1,
  answer: {
    provider: "huawei",
    requestId: "0123456789abcdef0123456789abcdef",
    latencyMs: 132,
    billable: true,
    cards: [
      {
        number: new Pan(RAW),
        bankName: "招商银行",
        bankCode: null,
        type: "借记卡",
        issueDate: "12/10",
        expiryDate: "12/20",
        confidence: { number: 0.9991, bank: 0.98, type: 0.99, issueDate: 0.99, expiryDate: 0.97 },
        keypoints: { number: corner(203, 356), bank: corner(120, 80), expiryDate: corner(480, 482) },
      },
    ],
  },
};
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(VaultError);
    expect(inspect(error)).not.toContain(cardNumber().slice(6, 12));
    return (error as VaultError).code;
  }
  return "opened";
};

describe("sealAnswer and openAnswer", () => {
  it("keep every field, and the number as the provider wrote it", () => {
    fc.assert(
      fc.property(stored, fc.string(), (answer, key) => {
        expect(laidOpen(openAnswer(keyring, sealAnswer(keyring, answer, key), key))).toEqual(laidOpen(answer));
      }),
    );
  });

  it("takes at most 500 bytes for an answer with one card, and little more for four", () => {
    expect(sealAnswer(keyring, TYPICAL, KEY).length).toBeLessThanOrEqual(500);
    const cards = Array.from({ length: 4 }, () => TYPICAL.kind === "answer" && TYPICAL.answer.cards[0]).filter(
      (each) => !!each,
    );
    const four = { ...TYPICAL, answer: { ...TYPICAL.answer, cards } } as StoredAnswer;
    expect(sealAnswer(keyring, four, KEY).length).toBeLessThanOrEqual(500);
  });

  it("never seals twice to the same bytes, and shows no digits", () => {
    const [one, two] = [sealAnswer(keyring, TYPICAL, KEY), sealAnswer(keyring, TYPICAL, KEY)];
    expect(one.equals(two)).toBe(false);
    expect(one.includes(RAW.slice(0, 9))).toBe(false);
  });

  it("opens nothing that one bit was changed of, or that was cut", () => {
    const sealed = sealAnswer(keyring, TYPICAL, KEY);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOf(() => openAnswer(keyring, changed, KEY))).not.toBe("opened");
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(codeOf(() => openAnswer(keyring, sealed.subarray(0, length), KEY))).not.toBe("opened");
    }
  });

  it("opens under its own answer key and keyring alone", () => {
    const sealed = sealAnswer(keyring, TYPICAL, KEY);
    expect(codeOf(() => openAnswer(keyring, sealed, `${KEY}x`))).toBe("vault-corrupt");
    expect(codeOf(() => openAnswer(testKeyring("b"), sealed, KEY))).toBe("vault-key");
    expect(codeOf(() => openAnswer(rotate(keyring, testKeyring("b")), sealed, KEY))).toBe("opened");
    expect(codeOf(() => openAnswer(keyring, Buffer.from([2, 0]), KEY))).toBe("vault-version");
    expect(codeOf(() => sealAnswer(keyring, { ...TYPICAL, request: "x".repeat(2 ** 20) }, KEY))).toBe("vault-size");
  });

  it("refuses any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        expect(codeOf(() => openAnswer(keyring, Buffer.from(junk), KEY))).not.toBe("opened");
      }),
    );
  });
});

describe("decodeStored", () => {
  it("takes what an earlier version did not write as not given", () => {
    expect(decodeStored('{"s":1,"p":"local"}')).toEqual({
      kind: "answer",
      request: "",
      calls: 0,
      answer: { provider: "local", cards: [], requestId: null, latencyMs: 0, billable: false },
    });
  });

  it("goes without what a later version added", () => {
    const later = JSON.stringify({ ...JSON.parse(encodeStored(TYPICAL)), z: { new: true } });
    expect(laidOpen(decodeStored(later))).toEqual(laidOpen(TYPICAL));
    expect(decodeStored('{"s":1,"r":"refused-in-a-new-way"}')).toMatchObject({ code: "provider-refused" });
  });

  it("is total: a stored answer or a VaultError for any JSON", () => {
    expect(codeOf(() => decodeStored('{"s":2}'))).toBe("vault-version");
    expect(codeOf(() => decodeStored('{"s":1,"p":"nobody"}'))).toBe("vault-version");
    expect(codeOf(() => decodeStored(`{"n":"${RAW}`))).toBe("vault-corrupt");
    const values = fc.dictionary(fc.constantFrom(..."spqnilbcrmv"), fc.jsonValue());
    fc.assert(
      fc.property(values, (value) => void codeOf(() => decodeStored(JSON.stringify({ p: "local", ...value, s: 1 })))),
    );
  });
});
