import { createHmac, type KeyObject } from "node:crypto";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;

/** A key and nonce of its own for each thing that is encrypted, so that no budget of random nonces is ever used up. */
export function deriveKey(
  secret: KeyObject,
  purpose: string,
  salt: Buffer,
): { readonly recordKey: Buffer; readonly nonce: Buffer } {
  const derived = createHmac("sha512", secret).update(purpose).update(salt).digest();
  return { recordKey: derived.subarray(0, KEY_BYTES), nonce: derived.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES) };
}
