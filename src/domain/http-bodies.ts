import { z } from "zod";
import { PROVIDER_NAMES } from "./answer.js";
import { MAX_REF_LENGTH, nameSchema, PRIORITIES, refSchema } from "./payload.js";
import { PROBLEMS, type ProblemCode } from "./problem.js";
import { OUTCOMES } from "./reading.js";
import { STAGED_ROOT, WEBHOOK_TYPE } from "./received.js";
import { cardSchema, recordSchema } from "./record.js";

/** What callers send and get, as it is checked and as `/openapi.json` tells it. */

const MAX_PATH_LENGTH = 4096;
const MAX_WAIT_S = 60;
const MOST_IMAGES = 10_000;
const MOST_OUTCOMES = 1000;

const requestName = z.string().regex(/^r_[A-Za-z0-9_-]{16}$/, "is no request");
const rootName = nameSchema
  .refine((name) => name !== STAGED_ROOT, "is no root of yours")
  .meta({ description: "a name of CARDBATCH_ROOTS" });
const path = z.string().min(1).max(MAX_PATH_LENGTH).meta({ description: "of the file, below its root" });
const webhook = z.string().meta({ description: "where the outcome is told; https" });

const providers = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => [...new Set((typeof value === "string" ? value.split(",") : value).map((name) => name.trim()))])
  .pipe(z.array(z.enum(PROVIDER_NAMES)).min(1))
  .meta({ description: `${PROVIDER_NAMES.join(", ")}; of several, separated by commas, the next is asked in doubt` });

const page = z.coerce
  .number()
  .int()
  .min(0)
  .max(100_000)
  .meta({ description: "from 0; left out: each page of the image" });
const ref = refSchema.meta({
  description: `your own id, at most ${MAX_REF_LENGTH} characters; comes back with the outcome`,
});
const batch = nameSchema.meta({ description: "left out: one of the key's own, a day" });
const priority = z
  .enum(PRIORITIES)
  .meta({ description: "interactive goes ahead of every batch; batch waits with them" });

/** What is said of an image besides; every field may be left out. */
export const wishSchema = z.strictObject({
  page: page.optional(),
  ref: ref.optional(),
  batch: batch.optional(),
  priority: priority.default("interactive"),
  provider: providers.optional(),
  webhook: webhook.optional(),
});

/** The same as fields of a form, where an empty one is one that was left out. */
export const formSchema = z.preprocess(
  (fields) => Object.fromEntries(Object.entries(fields as object).filter(([, value]) => value !== "")),
  wishSchema,
);

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const imageBodySchema = wishSchema.extend({
  image: z.union(
    [
      z.strictObject({
        data: z
          .string()
          .min(1)
          .refine((text) => text.length % 4 === 0 && BASE64.test(text), "is not base64")
          .meta({ description: "the file's bytes in base64", contentEncoding: "base64" }),
      }),
      z.strictObject({ root: rootName, path }),
    ],
    "takes {data} in base64, or {root, path}",
  ),
});

export const batchBodySchema = z
  .strictObject({
    batch: nameSchema.meta({ description: "its name; the same name with the same images goes on where it was" }),
    source: z
      .strictObject({ root: rootName, path: z.string().max(MAX_PATH_LENGTH).default("") })
      .optional()
      .meta({ description: "a folder, with all below it" }),
    images: z
      .array(z.strictObject({ root: rootName, path, ref: ref.optional() }))
      .min(1)
      .max(MOST_IMAGES)
      .optional(),
    provider: providers.optional(),
    priority: priority.default("batch"),
    webhook: webhook.optional(),
  })
  .refine(({ source, images }) => (source === undefined) !== (images === undefined), "takes either source or images");

export const waitQuerySchema = z.strictObject({
  wait: z
    .string()
    .regex(/^\d{1,5}(ms|s)?$/, "takes a time such as 10s")
    .transform((text) => Number.parseInt(text, 10) * (text.endsWith("ms") ? 1 : 1000))
    .refine((ms) => ms <= MAX_WAIT_S * 1000, `takes ${MAX_WAIT_S}s at most`)
    .optional()
    .meta({ description: `how long to wait for the outcome, such as 10s; ${MAX_WAIT_S}s at most` }),
});

export const outcomesQuerySchema = z.strictObject({
  cursor: z.coerce.number().int().min(0).default(0).meta({ description: "`next` of the page before" }),
  limit: z.coerce.number().int().min(1).max(MOST_OUTCOMES).default(100),
});

export const requestParamsSchema = z.strictObject({ request: requestName });
export const batchParamsSchema = z.strictObject({ batch: nameSchema });
export const deliveryParamsSchema = z.strictObject({
  id: z.string().regex(/^msg_[A-Za-z0-9_-]{24}$/, "is no webhook-id"),
});
export const parkedQuerySchema = z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(100) });
export const retryBodySchema = z.strictObject({
  codes: z.array(z.string().max(64)).max(100).optional().meta({ description: "only failures of these codes" }),
});
export const revealBodySchema = z.strictObject({
  reason: z.string().trim().min(1).max(500).meta({ description: "why the number is wanted; goes to the audit file" }),
});
export const noQuerySchema = z.strictObject({});

export const requestViewSchema = z.object({
  request: requestName,
  batch: z.string(),
  ref: z.string().nullable(),
  page: z.number().int(),
  status: z.enum(["pending", "done"]),
  receivedAt: z.iso.datetime().nullable(),
  url: z.string(),
  outcome: recordSchema.nullable(),
});
export type RequestView = z.infer<typeof requestViewSchema>;

const revealedNumber = cardSchema.shape.number.unwrap().extend({ value: z.string().optional() });

/** An outcome with its numbers in the clear. */
export const revealedSchema = recordSchema.extend({
  image: recordSchema.shape.image.extend({ sourceValue: z.string().optional() }),
  cards: z.array(cardSchema.extend({ number: revealedNumber.nullable() })),
});
export type RevealedOutcome = z.infer<typeof revealedSchema>;

export const imageViewSchema = z.object({ batch: z.string(), requests: z.array(requestViewSchema) });

export const batchViewSchema = z.object({
  batch: z.string(),
  state: z.enum(["open", "feeding", "working", "complete", "paused", "cancelled"]),
  found: z.number().int(),
  pending: z.number().int(),
  outcomes: z.object(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, z.number().int()]))),
  calls: z.number().int(),
  billableCalls: z.number().int(),
  uncertainCalls: z.number().int(),
  createdAt: z.string().nullable(),
  url: z.string(),
});
export type BatchView = z.infer<typeof batchViewSchema>;

export const outcomesViewSchema = z.object({
  outcomes: z.array(recordSchema),
  next: z.string().meta({ description: "the cursor for what comes after, now or later" }),
  more: z.boolean().meta({ description: "there is more already" }),
  complete: z.boolean().meta({ description: "the batch has no outcome to come" }),
});

export const deliveryViewSchema = z.object({
  id: z.string(),
  request: z.string(),
  state: z.enum(["due", "parked", "done"]),
  attempts: z.number().int(),
  reason: z.string().nullable(),
});

export const deliveriesViewSchema = z.object({ deliveries: z.array(deliveryViewSchema) });
export const replayedViewSchema = z.object({ replayed: z.number().int() });
export const readinessViewSchema = z.object({ status: z.enum(["ready", "not-ready"]), troubles: z.array(z.string()) });

export const problemSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export const webhookBodySchema = z.object({
  type: z.literal(WEBHOOK_TYPE),
  timestamp: z.iso.datetime(),
  data: recordSchema,
});
