import { z } from "zod";
import { PRIORITIES, refSchema } from "./payload.js";
import { recordSchema } from "./record.js";

/** The name of the root that uploaded images are staged under; no configured root may have it. */
export const STAGED_ROOT = "staged";
/** Where the outcomes of requests received over HTTP go, unless their key has a destination of its own. */
export const API_DESTINATION = "api";
/** What receivers of webhooks know an outcome by. */
export const WEBHOOK_TYPE = "request.finished";

/** A request that was received over HTTP, before its outcome. */
export const receivedSchema = z.object({
  request: z.templateLiteral(["r_", z.string()]),
  /** The API key that asked. */
  key: z.string(),
  batch: z.string(),
  page: z.number().int().nonnegative(),
  ref: refSchema.nullable(),
  priority: z.enum(PRIORITIES),
  receivedAt: z.iso.datetime(),
  imageKey: z.templateLiteral(["sha256:", z.string()]),
  /** Whether the image has other pages besides. */
  paged: z.boolean(),
  /** The reference as a job carries it. */
  image: z.union([
    z.object({ root: z.string(), path: z.string() }),
    z.object({ path: z.string() }),
    z.object({ sealed: z.string() }),
  ]),
  /** The staged file that holds the image; null: it is somewhere else. */
  upload: z.string().nullable(),
  /** Where its outcome is told, encrypted; null: where the batch's or the key's are. */
  webhook: z.string().nullable(),
});

export type Received = z.infer<typeof receivedSchema>;

/** What is known of a request. */
export const requestStateSchema = z.object({
  request: z.templateLiteral(["r_", z.string()]),
  key: z.string().nullable(),
  batch: z.string(),
  page: z.number().int().nonnegative(),
  ref: z.string().nullable(),
  receivedAt: z.iso.datetime().nullable(),
  outcome: recordSchema.nullable(),
});

export type RequestState = z.infer<typeof requestStateSchema>;
