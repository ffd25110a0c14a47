import { describe, expect, test } from "vitest";
import { OUTCOMES } from "../../src/domain/reading.js";
import { type OutcomeRecord, recordSchema, streamOf } from "../../src/domain/record.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";

const RECORD = recordOf("b1", 1, "review", {
  cards: [recordCardOf({ keypoints: { number: [1, 2, 3, 4].map((x) => ({ x, y: 20 })) as never } })],
  reasons: ["luhn"],
  provider: { name: "huawei", requestId: "abc", latencyMs: 132 },
});
const parses = (more: object) => recordSchema.safeParse({ ...RECORD, ...more }).success;

describe("recordSchema", () => {
  test("takes a whole record as it is", () => {
    expect(recordSchema.parse(JSON.parse(JSON.stringify(RECORD)))).toEqual(RECORD);
  });

  test.each<Partial<OutcomeRecord>>([
    { image: { key: null, source: "6225******.jpg", page: 3, sourceJwe: "eyJ" } },
    { ref: "my-id" },
    { duplicateOf: "r_abc" },
    { outcome: "failed", code: "image-corrupt", message: "cut short: scan it again", cards: [], provider: null },
    { cards: [recordCardOf({ number: null, bank: null, network: null, type: "unknown", issueDate: null })] },
    { calls: 0 },
    { reasons: ["a-later-reason"], code: "a-later-code", provider: { name: "tencent", requestId: null, latencyMs: 1 } },
  ])("takes one with %j", (more) => {
    expect(parses(more)).toBe(true);
  });

  test.each([
    { schema: 2 },
    { request: "x_1" },
    { outcome: "done" },
    { reasons: ["because of this"] },
    { code: "NO" },
    { image: { key: "md5:1", source: "a", page: 0 } },
    { image: { key: null, source: "a", page: -1 } },
    { calls: -1 },
    { attempts: 0 },
    { finishedAt: "yesterday" },
    { cards: [{ ...recordCardOf(), expiryDate: "12/20" }] },
    { cards: [{ ...recordCardOf(), confidence: { number: 1.1, bank: null, issueDate: null, expiryDate: null } }] },
    { cards: [{ ...recordCardOf(), keypoints: { number: [{ x: 1, y: 2 }] } }] },
    { provider: { name: "x".repeat(65), requestId: null, latencyMs: 1 } },
  ])("refuses one with %j", (more) => {
    expect(parses(more)).toBe(false);
  });

  test("has no room for what nobody may keep", () => {
    const card = { ...recordCardOf(), cvv: "000", holder: "x" };
    expect(JSON.stringify(recordSchema.parse({ ...RECORD, cards: [card], raw: "x" }))).not.toMatch(/cvv|holder|raw/);
  });
});

test("every outcome goes to one of the two files", () => {
  expect(OUTCOMES.map((outcome) => [outcome, streamOf(outcome)])).toEqual([
    ["accepted", "results"],
    ["review", "results"],
    ["rejected", "failures"],
    ["failed", "failures"],
    ["duplicate", "results"],
  ]);
});
