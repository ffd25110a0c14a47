import { createSecretKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { ConfigError } from "../domain/errors.js";

/**
 * - `jwe`: wraps the content keys of `number.jwe` and `image.sourceJwe` (A256KW).
 * - `fingerprint`: HMAC-SHA-256 over card numbers.
 * - `answer`: the ledger's stored answers, and images while they are staged.
 */
export const KEY_USES = ["jwe", "fingerprint", "answer"] as const;
export type KeyUse = (typeof KEY_USES)[number];

export const KEYRING_SCHEMA = 1;
export const KEY_BYTES = 32;

/** A `KeyObject` prints as nothing, in inspection and JSON alike. */
export interface KeyringKey {
  readonly kid: string;
  readonly use: KeyUse;
  readonly secret: KeyObject;
  /** The one that seals. All others of its use still open. */
  readonly active: boolean;
  /** When it should be replaced. ISO 8601 */
  readonly notAfter: string | null;
}

export interface Keyring {
  /** Random and public: tells whether two processes hold the same keyring. */
  readonly id: string;
  /** ISO 8601 */
  readonly created: string;
  readonly keys: readonly KeyringKey[];
}

/** The file, JWKS-like: other programs decrypt `number.jwe` with the `jwe` keys in it. */
const fileSchema = z.object({
  schema: z.literal(KEYRING_SCHEMA),
  id: z.string().regex(/^kr_[A-Za-z0-9_-]{16,}$/),
  created: z.iso.datetime(),
  keys: z
    .array(
      z.object({
        kid: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/),
        use: z.enum(KEY_USES),
        kty: z.literal("oct"),
        alg: z.string(),
        k: z.base64url().length(Math.ceil((KEY_BYTES * 8) / 6)),
        active: z.boolean(),
        notAfter: z.iso.datetime().optional(),
      }),
    )
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length)
    .refine((keys) => KEY_USES.every((use) => keys.filter((key) => key.use === use && key.active).length === 1)),
});

export type KeyringFile = z.input<typeof fileSchema>;

/**
 * Reads a keyring file's text.
 * @param place where it came from, for the message
 * @throws ConfigError when it is not a keyring, is damaged, or was made by a later version; never with anything of its text
 */
export function parseKeyring(text: string, place: string): Keyring {
  const parsed = fileSchema.safeParse(parseJson(text, place));
  if (!parsed.success) {
    const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join(".") || "the file"))];
    throw new ConfigError(
      `${place} is not a keyring of schema ${KEYRING_SCHEMA}: ${fields.slice(0, 3).join(", ")} cannot be used; restore it from its backup`,
    );
  }
  const { id, created, keys } = parsed.data;
  return {
    id,
    created,
    keys: keys.map(({ kid, use, k, active, notAfter }) => ({
      kid,
      use,
      secret: createSecretKey(k, "base64url"),
      active,
      notAfter: notAfter ?? null,
    })),
  };
}

/** The key that seals. */
export function activeKey(keyring: Keyring, use: KeyUse): KeyringKey {
  const key = keyring.keys.find((candidate) => candidate.use === use && candidate.active);
  if (key === undefined) throw new ConfigError(`the keyring ${keyring.id} has no active key for ${use}`);
  return key;
}

/** The key that something was sealed with; null when it is of another keyring. */
export function findKey(keyring: Keyring, use: KeyUse, kid: string): KeyringKey | null {
  return keyring.keys.find((key) => key.use === use && key.kid === kid) ?? null;
}

/** JSON.parse quotes the text in its message, and this text is keys. */
function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ConfigError(`${place} is not JSON, so not a keyring; restore it from its backup`);
  }
}
