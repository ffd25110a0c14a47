import { z } from "zod";
import { hasPan } from "./find-pans.js";
import { nameSchema } from "./payload.js";

/**
 * - `enqueue`: send images and batches, and stop, retry or replay what is one's own.
 * - `read`: see what became of them.
 * - `reveal`: see card numbers in the clear, which is recorded.
 * - `admin`: all of that for the requests of every key.
 */
export const SCOPES = ["enqueue", "read", "reveal", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export const apiKeySchema = z.object({
  id: z.string().regex(/^[a-z]{8}$/),
  name: z
    .string()
    .min(1)
    .max(64)
    .refine((name) => !hasPan(name, "name"), "holds what looks like a card number"),
  /** SHA-256 of the secret, hex: it is 256 random bits, so no slower hash makes it any safer. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(SCOPES)).min(1),
  /** HTTP requests a second, over all servers; a second's worth of them may come at once. */
  rate: z.number().positive().max(100_000),
  /** Where its outcomes go: `api`, or a destination of its own that has a public key. */
  destination: nameSchema,
  createdAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().nullable(),
});

/** Who may ask the HTTP API, as it is stored: nothing of it lets anybody in. */
export type ApiKey = z.infer<typeof apiKeySchema>;

const KEY_FORM = /^cbk_([a-z]{8})\.([A-Za-z0-9_-]{43})$/;

/** A key as its holder writes it: `cbk_<id>.<32 bytes in base64url>`. */
export function formatApiKey(id: string, secret: Uint8Array): string {
  return `cbk_${id}.${Buffer.from(secret).toString("base64url")}`;
}

/** Its parts; null when the text is no key. */
export function parseApiKey(text: string): { readonly id: string; readonly secret: Buffer } | null {
  const [, id, secret] = KEY_FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret: Buffer.from(secret, "base64url") };
}

/** A name without digits, so that none is ever taken for a card number: a letter for each half of a byte. */
export function inLetters(bytes: Uint8Array): string {
  return [...bytes].map((byte) => LETTERS.charAt(byte >> 4) + LETTERS.charAt(byte & 15)).join("");
}

const LETTERS = "abcdefghijklmnop";
