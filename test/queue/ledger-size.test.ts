import { expect, test } from "vitest";
import { answerKey, CARD_FIELDS, type CardField, type StoredAnswer } from "../../src/domain/answer.js";
import type { Quad } from "../../src/domain/geometry.js";
import { Pan } from "../../src/domain/pan.js";
import { createBatches } from "../../src/queue/batches.js";
import { createLedger } from "../../src/queue/ledger.js";
import { weighAnswers, weighMarks } from "../../src/queue/ledger-cost.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";
import { testKeyring } from "../vault/test-keyring.js";

/** Invariant I4. */
const MARKS_BYTES = 120;
const ANSWER_BYTES = 1000;
/** What the tables of names and of times to live take for each key on top of what `MEMORY USAGE` says, at their fullest. */
const TABLE_BYTES = 2 * (24 + 2 * 8);

const PAGES = 40_000;
const ANSWERS = 500;
const CHUNK = 200;
const { redis, keys } = openTestRedis();
const batches = createBatches(redis, keys);

test("the ledger costs at most 120 B an image, and at most 1 kB more while its answer is kept", async () => {
  const thresholds = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
  const batch = await batches.open({
    name: "b-0123456789ab",
    providers: ["huawei"],
    thresholds,
    destination: null,
    sources: [],
    refresh: false,
  });
  const recorder = createRecorder(redis, keys, "sink");
  for (let from = 0; from < PAGES; from += CHUNK) {
    const names = Array.from({ length: CHUNK }, (_, i) => from + i);
    await batches.admit(
      batch,
      names.map((name) => ({ request: requestOf(batch.name, name), imageKey: imageKeyOf(name), page: 0 })),
    );
    const { generation } = batch;
    await recorder.commit(
      { results: from },
      names.map((name) => ({ record: recordOf(batch.name, name), generation })),
    );
  }
  const ledger = createLedger(redis, keys, { presence: "p", retentionMs: 30 * 24 * 3600_000 });
  const { sealAnswer } = createVault(testKeyring());
  for (let i = 0; i < ANSWERS; i++) {
    const key = answerKey(imageKeyOf(i), 0, "huawei", "text-location");
    await ledger.store({ key, ticket: "p#1" }, sealAnswer(fullAnswer(i), key), null, 0);
  }

  const marks = (await weighMarks(redis, keys, batch.name)) / PAGES;
  const { answers, bytesPerAnswer, exact } = await weighAnswers(redis, keys);
  console.info(`marks ${marks.toFixed(0)} B an image, ${bytesPerAnswer.toFixed(0)} B an answer`);
  // Other tests fill the same Redis: among very many keys answers are estimated.
  expect(Math.abs(answers - ANSWERS)).toBeLessThanOrEqual(exact ? 0 : ANSWERS / 4);
  expect(marks).toBeLessThanOrEqual(MARKS_BYTES);
  expect(bytesPerAnswer + TABLE_BYTES).toBeLessThanOrEqual(ANSWER_BYTES);
}, 60_000);

/** All that a vendor ever says of one card. */
function fullAnswer(seed: number): StoredAnswer {
  const each = <T>(value: (field: CardField, i: number) => T) =>
    Object.fromEntries(CARD_FIELDS.map((field, i) => [field, value(field, i)])) as Record<CardField, T>;
  const corner = (i: number, x: number, y: number) => ({ x: 101 + x * 600 + i, y: 203 + y * 80 + i * 97 });
  const card = {
    number: new Pan(cardNumber("622848", 19, seed)),
    bankName: "中国工商银行股份有限公司",
    bankCode: "ICBC",
    type: "准贷记卡",
    issueDate: "12/10",
    expiryDate: "12/20",
    confidence: each((_, i) => 0.98765 + i / 1000),
    keypoints: each((_, i) => [corner(i, 0, 0), corner(i, 1, 0), corner(i, 1, 1), corner(i, 0, 1)] as Quad),
  };
  const requestId = "0123456789abcdef0123456789abcdef";
  const answer = { provider: "huawei", cards: [card], requestId, latencyMs: 1234.5, billable: true } as const;
  return { kind: "answer", answer, request: requestOf("b", seed), calls: 1 };
}
