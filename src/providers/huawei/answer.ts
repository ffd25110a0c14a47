import { z } from "zod";
import type { AnswerCard, CardField } from "../../domain/answer.js";
import type { Quad } from "../../domain/geometry.js";
import { confidenceField, quadField, scaleQuad, textField, toPan } from "../answer-fields.js";

const TEXTS = {
  number: "card_number",
  bank: "bank_name",
  type: "type",
  issueDate: "issue_date",
  expiryDate: "expiry_date",
} as const satisfies Record<CardField, string>;
const FIELDS = Object.keys(TEXTS) as CardField[];

/** The five texts, and the same names again for confidence and place. Whatever else comes is dropped here. */
function perField<T extends z.ZodType>(schema: T) {
  return { card_number: schema, bank_name: schema, type: schema, issue_date: schema, expiry_date: schema };
}
const absent = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

const answerSchema = z.object({
  result: z.object({
    ...perField(absent(textField)),
    confidence: absent(z.object(perField(absent(confidenceField)))),
    text_location: absent(z.object(perField(absent(quadField)))),
  }),
});

/**
 * The cards in Huawei's answer: one, or none where every field is empty.
 * @param json the body of a 2xx reply
 * @returns null when it is no answer at all
 */
export function parseHuaweiAnswer(json: unknown, pixelsPerSentPixel: number): readonly AnswerCard[] | null {
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success) return null;
  const { result } = parsed.data;
  const read = FIELDS.filter((field) => typeof result[TEXTS[field]] === "string");
  if (read.length === 0) return [];
  const confidence: Partial<Record<CardField, number>> = {};
  const keypoints: Partial<Record<CardField, Quad>> = {};
  // A field that is empty comes with confidence 0: not read, rather than read badly.
  for (const field of read) {
    const rating = result.confidence?.[TEXTS[field]];
    const place = result.text_location?.[TEXTS[field]];
    if (typeof rating === "number") confidence[field] = rating;
    if (place) keypoints[field] = scaleQuad(place, pixelsPerSentPixel);
  }
  const card: AnswerCard = {
    number: toPan(result.card_number ?? null),
    bankName: result.bank_name ?? null,
    bankCode: null,
    type: result.type ?? null,
    issueDate: result.issue_date ?? null,
    expiryDate: result.expiry_date ?? null,
    confidence,
    keypoints,
  };
  return [card];
}
