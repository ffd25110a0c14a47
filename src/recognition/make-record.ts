import type { CardField } from "../domain/answer.js";
import { numberField, type OutcomeSeal } from "../domain/card-vault.js";
import type { ErrorCode } from "../domain/errors.js";
import { ERROR_CATALOGUE } from "../domain/errors.js";
import type { Point, Quad } from "../domain/geometry.js";
import type { ImageKey } from "../domain/image.js";
import type { Pan } from "../domain/pan.js";
import type { RequestId } from "../domain/payload.js";
import type { Judgement, ReadingCard } from "../domain/reading.js";
import { type OutcomeRecord, RECORD_SCHEMA, type RecordCard } from "../domain/record.js";
import type { SourceName } from "./resolve-reference.js";

/** What every outcome of a request says about it. */
export interface RequestFacts {
  readonly request: RequestId;
  readonly imageKey: ImageKey | null;
  readonly page: number;
  readonly name: SourceName;
  readonly batch: string;
  readonly ref: string | null;
  readonly calls: number;
  readonly attempts: number;
  readonly finishedAt: Date;
}

/** Who is named for a reading. */
export type RecordProvider = OutcomeRecord["provider"];

/** The outcome of a page that was read. `duplicateOf` names the request whose cards these are, if it is another one. */
export async function recordVerdict(
  facts: RequestFacts,
  judgement: Judgement,
  cards: readonly ReadingCard[],
  provider: RecordProvider,
  duplicateOf: RequestId | null,
  seal: OutcomeSeal,
): Promise<OutcomeRecord> {
  return {
    ...common(facts),
    outcome: duplicateOf === null ? judgement.verdict : "duplicate",
    reasons: judgement.reasons,
    ...(duplicateOf === null ? {} : { duplicateOf }),
    cards: await Promise.all(cards.map((card, index) => recordCard(card, index, facts.request, seal))),
    provider,
  };
}

/** The outcome of a page that could not be read. The message says what was got and what to do, never a path or a number. */
export function recordFailure(
  facts: RequestFacts,
  failure: { readonly code: ErrorCode; readonly message: string },
  provider: RecordProvider,
): OutcomeRecord {
  const hint = ERROR_CATALOGUE[failure.code].hint;
  return {
    ...common(facts),
    outcome: "failed",
    reasons: [],
    code: failure.code,
    message: `${failure.message}: ${hint}`,
    cards: [],
    provider,
  };
}

function common(facts: RequestFacts) {
  return {
    schema: RECORD_SCHEMA,
    request: facts.request,
    image: { key: facts.imageKey, ...facts.name, page: facts.page },
    batch: facts.batch,
    ref: facts.ref,
    calls: facts.calls,
    attempts: facts.attempts,
    finishedAt: facts.finishedAt.toISOString(),
  } as const;
}

async function recordCard(
  card: ReadingCard,
  index: number,
  request: RequestId,
  seal: OutcomeSeal,
): Promise<RecordCard> {
  const { number } = card;
  return {
    number: number === null ? null : await recordNumber(number, index, request, seal),
    bank: card.bank,
    network: card.network,
    type: card.type,
    issueDate: card.issueDate,
    expiryDate: card.expiryDate,
    confidence: {
      number: confidence(card, "number"),
      bank: confidence(card, "bank"),
      issueDate: confidence(card, "issueDate"),
      expiryDate: confidence(card, "expiryDate"),
    },
    keypoints: { number: card.keypoints.number === undefined ? null : toPixels(card.keypoints.number) },
  };
}

/** A card's number as an outcome carries it. @param index of the card in the outcome */
export async function recordNumber(number: Pan, index: number, request: RequestId, seal: OutcomeSeal) {
  return {
    masked: number.masked,
    length: number.length,
    luhn: number.luhn,
    fingerprint: seal.fingerprint(number),
    jwe: await seal.sealNumber(number, { request, field: numberField(index) }),
  };
}

function confidence(card: ReadingCard, field: CardField): number | null {
  const value = card.confidence[field];
  // The endless digits of a fraction say nothing more, and can look like a card number.
  return value === undefined ? null : Math.round(value * 1e4) / 1e4;
}

function toPixels(quad: Quad): Quad {
  const round = ({ x, y }: Point): Point => ({ x: Math.round(x), y: Math.round(y) });
  return [round(quad[0]), round(quad[1]), round(quad[2]), round(quad[3])];
}
