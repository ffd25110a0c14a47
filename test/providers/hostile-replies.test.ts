import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProviderError } from "../../src/domain/errors.js";
import type { HttpReply } from "../../src/providers/http-client.js";
import { parseHuaweiAnswer } from "../../src/providers/huawei/answer.js";
import { huaweiFailure } from "../../src/providers/huawei/failure.js";
import { parseJson } from "../../src/providers/reply.js";
import { shiliuaiFailure } from "../../src/providers/shiliuai/failure.js";
import { parseShiliuaiBody, parseShiliuaiCards } from "../../src/providers/shiliuai/reply-body.js";
import { cardNumber } from "../helpers/card-numbers.js";

const NUMBER = cardNumber();
const reply = (body: Buffer | string, status = 200): HttpReply => ({
  status,
  headers: {},
  body: Buffer.from(body),
  cut: null,
  latencyMs: 1,
});

/** JSON that resembles an answer: its own names, any values. */
const names = [
  "result",
  "card_number",
  "confidence",
  "text_location",
  "data",
  "content",
  "number",
  "prob",
  "keypoints",
];
const others = ["code", "success", "request_id", "error_code", "error_msg", "__proto__"];
const similar = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, fc.jsonValue(), fc.constant(NUMBER), fc.array(tie("value")), tie("object")),
  object: fc.dictionary(fc.constantFrom(...names, ...others), tie("value")),
})).object;

describe("any bytes", () => {
  test("are read or refused, and never shown", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          similar.map((value) => Buffer.from(JSON.stringify(value))),
        ),
        fc.integer({ min: 200, max: 599 }),
        (bytes, status) => {
          const got = reply(Buffer.from(bytes), status);
          const json = parseJson(got);
          const cards = parseHuaweiAnswer(json, 1);
          if (cards !== null) expect(cards.length).toBeLessThanOrEqual(1);
          const body = parseShiliuaiBody(json);
          parseShiliuaiCards(body?.data, 1);
          const failures = [
            huaweiFailure(got, json, { auth: "aksk", nowMs: 0 }),
            shiliuaiFailure(got, body, { auth: "signature", nowMs: 0 }),
          ];
          for (const failure of failures) {
            expect(failure).toBeInstanceOf(ProviderError);
            expect(failure.message + inspect(failure.details)).not.toContain(NUMBER);
            expect(failure.requestId ?? "").not.toContain(NUMBER);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("huawei", () => {
  const answer = (result: unknown) => parseHuaweiAnswer({ result }, 1);

  test("keeps its five fields and nothing else", () => {
    const [card] =
      answer({ card_number: NUMBER, cvv: "123", holder: "X", confidence: { card_number: 0.5, cvv: 1 } }) ?? [];
    expect(inspect(card, { depth: 5 })).not.toMatch(/123,|cvv|holder|'X'/);
    expect(card).toMatchObject({ bankName: null, confidence: { number: 0.5 }, keypoints: {} });
  });

  test.each([
    ["empty texts", { card_number: "", bank_name: " ", type: "", confidence: { card_number: 0 } }],
    ["no fields", {}],
    ["a number that is no text", { card_number: 1234 }],
  ])("%s: no card", (_name, result) => expect(answer(result)).toEqual([]));

  test.each([undefined, null, [], "x", {}, { result: null }, { result: "x" }])("%j is no answer", (json) => {
    expect(parseHuaweiAnswer(json, 1)).toBeNull();
  });

  test("takes corners as pairs and as objects, and none that are not four", () => {
    const corners = [0, 9, 9, 0].map((x, index) => [x, index < 2 ? 0 : 5]);
    const points = corners.map(([x, y]) => ({ x, y }));
    const text_location = { card_number: corners, bank_name: points, type: corners.slice(1), issue_date: "x" };
    const [card] = answer({ card_number: NUMBER, bank_name: "b", type: "t", issue_date: "12/10", text_location }) ?? [];
    expect(card?.keypoints).toEqual({ number: points, bank: points });
  });

  test("a rating outside 0..1, or of a field that was not read, is none", () => {
    const confidence = { card_number: 1.5, bank_name: 0.9, type: "0.9", expiry_date: 0.9 };
    const [card] = answer({ card_number: NUMBER, bank_name: "b", type: "t", expiry_date: "", confidence }) ?? [];
    expect(card?.confidence).toEqual({ bank: 0.9 });
  });

  test("the limit in a 429 is told, and waited for no longer than the vendor advises", () => {
    const failure = (text: string) =>
      huaweiFailure(
        reply("", 429),
        { error_code: "APIG.0308", error_msg: `over ratelimit,limit:${text}` },
        { auth: "iam", nowMs: 0 },
      );
    expect(failure("20,time:1 second")).toMatchObject({
      retryAfterMs: 1000,
      details: { limitCalls: 20, limitPeriodMs: 1000 },
    });
    expect(failure("300,time:1 minute")).toMatchObject({
      retryAfterMs: 5000,
      details: { limitCalls: 300, limitPeriodMs: 60_000 },
    });
    expect(failure("many")).toMatchObject({ retryAfterMs: null, details: {} });
  });
});

describe("shiliuai", () => {
  const card = { number: NUMBER, prob: 0.99, name: "bank", type: "贷记卡" };

  test.each<[name: string, data: unknown, cards: number | null]>([
    ["several cards", { content: [card, card] }, 2],
    ["the same as text", JSON.stringify({ content: [card] }), 1],
    ["empty data", {}, 0],
    ["no content", { content: [] }, 0],
    ["cards without anything", { content: [{}, { number: "", prob: 0 }] }, 0],
    ["text that is no JSON", "oops", null],
    ["content that is no list", { content: card }, null],
    ["nothing", undefined, null],
    ["a list", [card], null],
    ["more cards than a picture holds", { content: Array(101).fill(card) }, null],
  ])("%s", (_name, data, cards) => {
    expect(parseShiliuaiCards(data, 1)?.length ?? null).toBe(cards);
  });

  test("keeps its own fields and nothing else", () => {
    const [read] = parseShiliuaiCards({ content: [{ ...card, cvv: "123", holder: "X" }] }, 1) ?? [];
    expect(read).toMatchObject({ bankName: "bank", type: "贷记卡", expiryDate: null, confidence: { number: 0.99 } });
    expect(inspect(read, { depth: 5 })).not.toMatch(/cvv|holder|123,/);
  });
});
