import { timingSafeEqual } from "node:crypto";
import { UsageError } from "../domain/errors.js";
import { parseRecipient, type Recipient, type RecipientJwk } from "./recipient.js";
import { VaultError } from "./vault-error.js";

/** Says what the digest is of, so that the key can serve nothing else by accident. */
const PURPOSE = "recipient:v1:";

type KeyedDigest = (text: string) => string;

/** A destination's public key as Redis keeps it: JSON of the key, and a keyed digest of both. @throws UsageError */
export function recordRecipient(destination: string, input: unknown, digest: KeyedDigest): string {
  const { jwk } = parseRecipient(input);
  return JSON.stringify({ jwk, mac: macOf(destination, jwk, digest) });
}

/** @throws VaultError `vault-recipient` */
export function readRecipient(destination: string, record: string, digest: KeyedDigest): Recipient {
  const refused = new VaultError(
    "vault-recipient",
    "the destination's public key was not registered with this keyring",
  );
  try {
    const { jwk, mac } = JSON.parse(record) as { jwk: unknown; mac: unknown };
    const recipient = parseRecipient(jwk);
    if (isSame(String(mac), macOf(destination, recipient.jwk, digest))) return recipient;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError || error instanceof UsageError)) throw error;
  }
  throw refused;
}

function macOf(destination: string, jwk: RecipientJwk, digest: KeyedDigest): string {
  const { kty, crv, x, kid } = jwk;
  return digest(PURPOSE + JSON.stringify([destination, kty, crv, x, "y" in jwk ? jwk.y : null, kid]));
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
