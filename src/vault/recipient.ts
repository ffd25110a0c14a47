import {
  createHash,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from "node:crypto";
import { z } from "zod";
import { UsageError } from "../domain/errors.js";
import { hasPan } from "../domain/find-pans.js";

/** How content keys are wrapped for an asker's public key (RFC 7518, 4.6). */
export const RECIPIENT_ALGORITHM = "ECDH-ES+A256KW";
const MAX_KID_LENGTH = 128;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,90}$/, "must be base64url");
const kid = z
  .string()
  .min(1)
  .max(MAX_KID_LENGTH)
  .regex(/^[\x20-\x7e]+$/, "must be printable ASCII")
  .refine((name) => !hasPan(name, "name"), "holds what looks like a card number");
/** What else a JWK says must not speak against using it here. */
const meant = {
  kid: kid.optional(),
  use: z.literal("enc", "must be enc").optional(),
  alg: z.literal(RECIPIENT_ALGORITHM, `must be ${RECIPIENT_ALGORITHM}`).optional(),
  key_ops: z.array(z.enum(["deriveKey", "deriveBits"], "must be deriveKey or deriveBits")).optional(),
};
const jwkSchema = z.discriminatedUnion(
  "kty",
  [
    z.object({
      kty: z.literal("EC"),
      crv: z.enum(["P-256", "P-384", "P-521"], "must be P-256, P-384 or P-521"),
      x: base64url,
      y: base64url,
      ...meant,
    }),
    z.object({ kty: z.literal("OKP"), crv: z.literal("X25519", "must be X25519"), x: base64url, ...meant }),
  ],
  "must be EC or OKP",
);

/** Members that only private or secret keys have (RFC 7518, 6). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** A public key in the members that matter (RFC 7517), always with a name. */
export type RecipientJwk =
  | {
      readonly kty: "EC";
      readonly crv: "P-256" | "P-384" | "P-521";
      readonly x: string;
      readonly y: string;
      readonly kid: string;
    }
  | { readonly kty: "OKP"; readonly crv: "X25519"; readonly x: string; readonly kid: string };

/** An asker's public key, checked and ready. */
export interface Recipient {
  readonly jwk: RecipientJwk;
  readonly key: KeyObject;
}

/**
 * Checks a public JWK: EC on P-256, P-384 or P-521, or OKP on X25519. A key without `kid` is named by its thumbprint (RFC 7638).
 * @throws UsageError naming the member, never its value; a private key is refused, since it belongs to the asker alone
 */
export function parseRecipient(input: unknown): Recipient {
  const members = typeof input === "object" && input !== null ? Object.keys(input) : [];
  const secret = PRIVATE_MEMBERS.filter((member) => members.includes(member));
  if (secret.length > 0) {
    throw new UsageError(
      `the JWK holds private parts (${secret.join(", ")}): give the public key alone, and replace this one`,
    );
  }
  const parsed = jwkSchema.safeParse(input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"} ${message}`);
    throw new UsageError(`not a public JWK for ${RECIPIENT_ALGORITHM}: ${[...new Set(problems)].join("; ")}`);
  }
  const { data } = parsed;
  const named = data.kid ?? thumbprint(data);
  const jwk: RecipientJwk =
    data.kty === "EC"
      ? { kty: "EC", crv: data.crv, x: data.x, y: data.y, kid: named }
      : { kty: "OKP", crv: data.crv, x: data.x, kid: named };
  return usable({ jwk, key: importKey(jwk) });
}

/**
 * A key to wrap with, agreed on by a key pair that is made for this once and forgotten: ECDH-ES and the Concat KDF of RFC 7518, 4.6.
 * @returns its public half goes with what is wrapped
 */
export function agreeOnKey({ jwk, key }: Recipient): { readonly epk: object; readonly wrappingKey: KeyObject } {
  const once = keyPairOn(jwk.crv);
  const shared = diffieHellman({ privateKey: once.privateKey, publicKey: key });
  const length = (bytes: number) => {
    const field = Buffer.alloc(4);
    field.writeUInt32BE(bytes);
    return field;
  };
  const algorithm = Buffer.from(RECIPIENT_ALGORITHM);
  // Round 1; then algorithm, no names of the parties, and the bits that are wanted.
  const derived = createHash("sha256")
    .update(length(1))
    .update(shared)
    .update(length(algorithm.length))
    .update(algorithm)
    .update(length(0))
    .update(length(0))
    .update(length(256))
    .digest();
  return { epk: once.publicKey.export({ format: "jwk" }), wrappingKey: createSecretKey(derived) };
}

function keyPairOn(curve: RecipientJwk["crv"]): KeyPairKeyObjectResult {
  return curve === "X25519" ? generateKeyPairSync("x25519") : generateKeyPairSync("ec", { namedCurve: curve });
}

function importKey(jwk: RecipientJwk): KeyObject {
  try {
    return createPublicKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    throw new UsageError(`not a public JWK for ${RECIPIENT_ALGORITHM}: x and y are no point on ${jwk.crv}`);
  }
}

/** Some points are on the curve and agree on nothing secret. */
function usable(recipient: Recipient): Recipient {
  try {
    agreeOnKey(recipient);
    return recipient;
  } catch {
    throw new UsageError(`not a public JWK for ${RECIPIENT_ALGORITHM}: no key can be agreed on with it`);
  }
}

/** RFC 7638: the members that make the key, in the order of their names. */
function thumbprint({ kty, crv, x, ...rest }: z.infer<typeof jwkSchema>): string {
  const members = "y" in rest ? { crv, kty, x, y: rest.y } : { crv, kty, x };
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}
