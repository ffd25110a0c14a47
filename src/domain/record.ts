import { z } from "zod";
import { OUTCOMES } from "./reading.js";

export const RECORD_SCHEMA = 1;

/**
 * A word of a list that grows. Who reads outcomes may be older than who writes them, and takes words of later releases as they
 * are; so the lists are not part of the schema.
 */
const word = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9-]*$/);

const confidence = z.number().min(0).max(1);
const point = z.object({ x: z.number(), y: z.number() });
const quad = z.tuple([point, point, point, point]).readonly();
const month = z.string().regex(/^\d{4}-\d{2}$/);

export const cardSchema = z.object({
  number: z
    .object({
      masked: z.string(),
      length: z.number().int(),
      luhn: z.boolean(),
      /** Null where the outcome is encrypted to its asker alone. */
      fingerprint: z.string().nullable(),
      jwe: z.string(),
    })
    .nullable(),
  bank: z.object({ name: z.string(), code: z.string().nullable() }).nullable(),
  /** Of `NETWORKS`. */
  network: word.nullable(),
  /** Of `CARD_TYPES`. */
  type: word,
  issueDate: month.nullable(),
  expiryDate: month.nullable(),
  confidence: z.object({
    number: confidence.nullable(),
    bank: confidence.nullable(),
    issueDate: confidence.nullable(),
    expiryDate: confidence.nullable(),
  }),
  keypoints: z.object({ number: quad.nullable() }),
});

/** One request's outcome: a line of `results.ndjson` or `failures.ndjson`, and the message on the result queues. */
export const recordSchema = z.object({
  schema: z.literal(RECORD_SCHEMA),
  request: z.templateLiteral(["r_", z.string()]),
  image: z.object({
    key: z.templateLiteral(["sha256:", z.string()]).nullable(),
    source: z.string(),
    page: z.number().int().nonnegative(),
    sourceJwe: z.string().optional(),
  }),
  batch: z.string(),
  ref: z.string().nullable(),
  outcome: z.enum(OUTCOMES),
  /** Of `REASONS`. */
  reasons: z.array(word).readonly(),
  duplicateOf: z.templateLiteral(["r_", z.string()]).optional(),
  /** Of the error catalogue. */
  code: word.optional(),
  message: z.string().optional(),
  cards: z.array(cardSchema).readonly(),
  provider: z.object({ name: word, requestId: z.string().nullable(), latencyMs: z.number().nullable() }).nullable(),
  calls: z.number().int().nonnegative(),
  attempts: z.number().int().positive(),
  finishedAt: z.iso.datetime(),
  /** A person has looked at it: outcome and cards are theirs, and what the machine had made of it is kept beside them. */
  review: z
    .object({
      /** Of `DECISIONS`. */
      decision: word,
      by: z.string(),
      at: z.iso.datetime(),
      machine: z.object({
        outcome: z.enum(OUTCOMES),
        reasons: z.array(word).readonly(),
        cards: z.array(cardSchema).readonly(),
      }),
    })
    .optional(),
});

export type OutcomeRecord = z.infer<typeof recordSchema>;
export type RecordCard = z.infer<typeof cardSchema>;

/** The two files, and the two queues, that an outcome may go to. */
export const OUTCOME_STREAMS = ["results", "failures"] as const;
export type OutcomeStream = (typeof OUTCOME_STREAMS)[number];

export function streamOf(outcome: OutcomeRecord["outcome"]): OutcomeStream {
  return outcome === "failed" || outcome === "rejected" ? "failures" : "results";
}
