import {
  type Answer,
  type AnswerCard,
  CARD_FIELDS,
  type CardField,
  PROVIDER_NAMES,
  type StoredAnswer,
} from "../domain/answer.js";
import { ERROR_CODES, type ErrorCode } from "../domain/errors.js";
import type { Quad } from "../domain/geometry.js";
import { Pan, revealRawPan } from "../domain/pan.js";
import { VaultError } from "./vault-error.js";

/**
 * A stored answer as JSON with short names, without what is null; numbers as the provider wrote them. It is read years later by
 * other versions: names are never given another meaning, readers take what they know and go without the rest.
 *
 * `s` schema · `q` request · `n` calls · `i` request id of the vendor · `l` latency in ms · `b` billable
 * answer: `p` provider · `c` cards (`n` number, `b` bank, `c` bank code, `t` type, `i` issued, `e` expires,
 * `f` confidence and `k` keypoints, both by field) · refusal: `r` code · `m` message · `v` vendor code
 */
const SCHEMA = 1;
const LETTERS: Readonly<Record<CardField, string>> = {
  number: "n",
  bank: "b",
  type: "t",
  issueDate: "i",
  expiryDate: "e",
};

export function encodeStored(stored: StoredAnswer): string {
  const common = { s: SCHEMA, q: stored.request, n: stored.calls };
  if (stored.kind === "refusal") {
    const { code, message, vendorCode, requestId, latencyMs, billable } = stored;
    return JSON.stringify(
      given({ ...common, i: requestId, l: latencyMs, b: billable, r: code, m: message, v: vendorCode }),
    );
  }
  const { provider, cards, requestId, latencyMs, billable } = stored.answer;
  return JSON.stringify(
    given({ ...common, i: requestId, l: latencyMs, b: billable, p: provider, c: cards.map(encodeCard) }),
  );
}

/** @throws VaultError for what is no stored answer, or one of a later schema */
export function decodeStored(json: string): StoredAnswer {
  const fields = asFields(parseJson(json));
  if (fields.s !== SCHEMA) throw new VaultError("vault-version", `the stored answer has schema ${Number(fields.s)}`);
  const common = { request: asText(fields.q) ?? "", calls: asNumber(fields.n) ?? 0 };
  const call = { requestId: asText(fields.i), latencyMs: asNumber(fields.l) ?? 0, billable: fields.b === true };
  if (fields.r !== undefined) {
    const code = ERROR_CODES.find((known) => known === fields.r) ?? UNKNOWN_REFUSAL;
    return { kind: "refusal", ...common, code, message: asText(fields.m) ?? "", vendorCode: asText(fields.v), ...call };
  }
  const provider = PROVIDER_NAMES.find((known) => known === fields.p);
  if (provider === undefined)
    throw new VaultError("vault-version", "the stored answer is of a provider not known here");
  const answer: Answer = { provider, cards: asList(fields.c).map(decodeCard), ...call };
  return { kind: "answer", ...common, answer };
}

/** A code that a later version added: a refusal all the same. */
const UNKNOWN_REFUSAL: ErrorCode = "provider-refused";

type Fields = Readonly<Record<string, unknown>>;

function encodeCard(card: AnswerCard): Fields {
  return given({
    n: card.number === null ? null : revealRawPan(card.number),
    b: card.bankName,
    c: card.bankCode,
    t: card.type,
    i: card.issueDate,
    e: card.expiryDate,
    f: encodeByField(card.confidence, (confidence) => confidence),
    k: encodeByField(card.keypoints, (quad) => quad.flatMap(({ x, y }) => [x, y])),
  });
}

function decodeCard(value: unknown): AnswerCard {
  const fields = asFields(value);
  const number = asText(fields.n);
  return {
    number: number === null ? null : new Pan(number),
    bankName: asText(fields.b),
    bankCode: asText(fields.c),
    type: asText(fields.t),
    issueDate: asText(fields.i),
    expiryDate: asText(fields.e),
    confidence: decodeByField(fields.f, asNumber),
    keypoints: decodeByField(fields.k, asQuad),
  };
}

function encodeByField<T>(
  values: Readonly<Partial<Record<CardField, T>>>,
  encode: (value: T) => unknown,
): Fields | null {
  const encoded: Record<string, unknown> = {};
  for (const field of CARD_FIELDS) {
    const value = values[field];
    if (value !== undefined) encoded[LETTERS[field]] = encode(value);
  }
  return Object.keys(encoded).length === 0 ? null : encoded;
}

function decodeByField<T>(values: unknown, decode: (value: unknown) => T | null): Partial<Record<CardField, T>> {
  const fields = asFields(values);
  const decoded: Partial<Record<CardField, T>> = {};
  for (const field of CARD_FIELDS) {
    const value = decode(fields[LETTERS[field]]);
    if (value !== null) decoded[field] = value;
  }
  return decoded;
}

function asQuad(value: unknown): Quad | null {
  const [x1, y1, x2, y2, x3, y3, x4, y4] = asList(value).map((coordinate) => asNumber(coordinate) ?? 0);
  if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) return null;
  if (x3 === undefined || y3 === undefined || x4 === undefined || y4 === undefined) return null;
  return [
    { x: x1, y: y1 },
    { x: x2, y: y2 },
    { x: x3, y: y3 },
    { x: x4, y: y4 },
  ];
}

/** Leaves out what is null; a replacer function would take three times as long. */
function given(fields: Fields): Fields {
  const kept: Record<string, unknown> = {};
  for (const name in fields) if (fields[name] !== null) kept[name] = fields[name];
  return kept;
}

/** What the text is stays out of the error: it holds card numbers. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new VaultError("vault-corrupt", "the stored answer is not JSON");
  }
}

function asFields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function asNumber(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
