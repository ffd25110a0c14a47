import { z } from "zod";
import type { AnswerCard } from "../../domain/answer.js";
import { confidenceField, quadField, scaleQuad, textField, toPan } from "../answer-fields.js";
import { SUCCESS_CODES } from "./error-table.js";

/** What a body of this vendor says, whichever of its pages is right about the envelope. */
export interface ShiliuaiBody {
  readonly code: number | null;
  /** `success` as given; null where it is not. */
  readonly success: boolean | null;
  readonly requestId: string | null;
  readonly data: unknown;
}

const envelopeSchema = z.object({
  code: z
    .union([
      z.number().int(),
      z
        .string()
        .regex(/^\d{1,6}$/)
        .transform(Number),
    ])
    .nullable()
    .catch(null),
  success: z.boolean().nullable().catch(null),
  request_id: z.string().nullable().catch(null),
  data: z.unknown(),
});

const cardSchema = z.object({
  number: textField.optional(),
  name: textField.optional(),
  type: textField.optional(),
  prob: confidenceField.optional(),
  keypoints: quadField.optional(),
});

/** More cards than fit a picture are no cards. */
const MOST_CARDS = 100;
const dataSchema = z.object({ content: z.array(cardSchema).max(MOST_CARDS).optional() });

/** @returns null for anything but an object */
export function parseShiliuaiBody(json: unknown): ShiliuaiBody | null {
  const parsed = envelopeSchema.safeParse(json);
  if (!parsed.success) return null;
  const { code, success, request_id: requestId, data } = parsed.data;
  return { code, success, requestId, data };
}

/** Whether the body claims to be an answer: code 0 or 200 unless `success` denies it, or no code and `success` says so. */
export function claimsSuccess({ code, success }: ShiliuaiBody): boolean {
  return code === null ? success === true : SUCCESS_CODES.has(code) && success !== false;
}

/**
 * The cards of a successful body. `data` may be an object or its JSON; `{}` means no card. The vendor advertises expiry
 * dates and documents no field for them: they stay null.
 * @returns null when `data` is nothing of the kind
 */
export function parseShiliuaiCards(data: unknown, pixelsPerSentPixel: number): readonly AnswerCard[] | null {
  const parsed = dataSchema.safeParse(typeof data === "string" ? parseText(data) : data);
  if (!parsed.success) return null;
  return (parsed.data.content ?? [])
    .filter((card) => card.number || card.name || card.type)
    .map((card) => toCard(card, pixelsPerSentPixel));
}

function toCard(card: z.infer<typeof cardSchema>, pixelsPerSentPixel: number): AnswerCard {
  const number = toPan(card.number ?? null);
  return {
    number,
    bankName: card.name ?? null,
    bankCode: null,
    type: card.type ?? null,
    issueDate: null,
    expiryDate: null,
    // One rating and one place a card, both of its number.
    confidence: number !== null && typeof card.prob === "number" ? { number: card.prob } : {},
    keypoints: number !== null && card.keypoints ? { number: scaleQuad(card.keypoints, pixelsPerSentPixel) } : {},
  };
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
