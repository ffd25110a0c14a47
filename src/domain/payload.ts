import { createHash } from "node:crypto";
import { z } from "zod";
import { findPans, hasPan } from "./find-pans.js";

export const PAYLOAD_SCHEMA = 1;
export const MAX_REF_LENGTH = 128;
const MAX_NAME_LENGTH = 128;
const MAX_PATH_LENGTH = 4096;

const imageKeySchema = z.templateLiteral(["sha256:", z.string().regex(/^[0-9a-f]{64}$/)]);

/** Names of batches and destinations end up in queue names, and BullMQ keeps `:` for itself. */
export const nameSchema = z
  .string()
  .min(1)
  .max(MAX_NAME_LENGTH)
  .regex(/^[\p{L}\p{N}._-]+$/u, "letters, digits, dot, dash and underscore only")
  .refine((name) => findPans(name, "name").length === 0, "holds what looks like a card number");

export const refSchema = z
  .string()
  .max(MAX_REF_LENGTH)
  .refine((ref) => findPans(ref, "name").length === 0, "holds what looks like a card number");

const pathSchema = z.string().min(1).max(MAX_PATH_LENGTH);
const keyed = { key: imageKeySchema.optional(), page: z.number().int().nonnegative().optional() };

/** Where an image is. `sealed` is one of the other forms, encrypted because its name holds a card number. */
const imageSchema = z.union([
  z.strictObject({ path: pathSchema, ...keyed }),
  z.strictObject({ root: nameSchema, path: pathSchema, ...keyed }),
  z.strictObject({ url: z.url().max(MAX_PATH_LENGTH), ...keyed }),
  z.strictObject({
    sealed: z
      .string()
      .min(1)
      .max(4 * MAX_PATH_LENGTH),
    ...keyed,
  }),
]);

export const PRIORITIES = ["batch", "interactive"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What a job on `card-images` carries: references and keys, never pixels, never a card number. */
export const imageJobSchema = z.object({
  schema: z.literal(PAYLOAD_SCHEMA),
  image: imageSchema,
  batch: nameSchema,
  ref: refSchema.nullish(),
  priority: z.enum(PRIORITIES).optional(),
  destination: nameSchema.nullish(),
});

export type ImageJob = z.infer<typeof imageJobSchema>;
export type ImageReference = z.infer<typeof imageSchema>;

/** `r_` and 96 bits over who wants which page: however often it is enqueued, a request keeps its name (I1). */
export type RequestId = `r_${string}`;

/** @param reference what names the image within its batch, as `referenceText` gives it */
export function requestId(batch: string, reference: string, page: number, ref: string | null): RequestId {
  const digest = createHash("sha256")
    .update(JSON.stringify([batch, reference, page, ref]))
    .digest("base64url");
  return `r_${digest.slice(0, 16)}`;
}

/**
 * What a request's id is made of. From a plain hash of a name that is a card number the number could be found by trying
 * what its masked form leaves open, so such a name goes in as a digest that only the keyring's holder can make.
 */
export function referenceText(
  image: { readonly root?: string; readonly path?: string; readonly url?: string },
  digestName: (name: string) => string,
): string {
  const place = image.root === undefined ? (image.path ?? "") : `${image.root}:${image.path ?? ""}`;
  const name = image.url ?? place;
  return hasPan(name, "name") ? digestName(name) : name;
}
