import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { AnswerKey, StoredAnswer } from "../domain/answer.js";
import { decodeStored, encodeStored } from "./answer-codec.js";
import { deriveKey } from "./derive-key.js";
import { activeKey, findKey, type Keyring } from "./keyring.js";
import { VaultError } from "./vault-error.js";

/**
 * A stored answer, encrypted: `version ‖ kid length ‖ kid ‖ salt ‖ AES-256-GCM ciphertext ‖ tag`.
 * No JWE here: nobody but cardbatch reads the ledger, and a JWE of the same takes four times the CPU and nearly twice the bytes
 * of Redis. Each record has a key of its own, HMAC-SHA-512 of a random 128-bit salt, so that the limit of random nonces under one
 * key (NIST SP 800-38D, 8.3) stays far off. The answer key is authenticated: a blob moved to another image's place doesn't open.
 */
const VERSION = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const PURPOSE = "cardbatch answer v1:";
const CIPHER = "aes-256-gcm";
/** First byte of the plaintext. */
const PLAIN = 0;
const DEFLATED = 1;
/** Shorter ones (no card, a refusal) gain next to nothing. @unit bytes */
const DEFLATE_FROM_BYTES = 256;
const MAX_JSON_BYTES = 1024 * 1024;

/** @throws VaultError `vault-size` when the answer is larger than any vendor's */
export function sealAnswer(keyring: Keyring, stored: StoredAnswer, key: AnswerKey): Buffer {
  const { kid, secret } = activeKey(keyring, "answer");
  const salt = randomBytes(SALT_BYTES);
  const header = Buffer.concat([Buffer.from([VERSION, kid.length]), Buffer.from(kid), salt]);
  const { recordKey, nonce } = deriveKey(secret, PURPOSE, salt);
  const cipher = createCipheriv(CIPHER, recordKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(header, key));
  const ciphertext = cipher.update(pack(encodeStored(stored)));
  cipher.final();
  return Buffer.concat([header, ciphertext, cipher.getAuthTag()]);
}

/** @throws VaultError for everything that this keyring did not seal under this key */
export function openAnswer(keyring: Keyring, sealed: Buffer, key: AnswerKey): StoredAnswer {
  const [version, kidLength = 0] = sealed;
  if (version !== VERSION) throw new VaultError("vault-version", `the stored answer has form ${version ?? "none"}`);
  const headerLength = 2 + kidLength + SALT_BYTES;
  if (sealed.length <= headerLength + TAG_BYTES)
    throw new VaultError("vault-corrupt", "the stored answer is cut short");
  const found = findKey(keyring, "answer", sealed.toString("latin1", 2, 2 + kidLength));
  if (found === null) throw new VaultError("vault-key", `the stored answer's key is not in the keyring ${keyring.id}`);
  const header = sealed.subarray(0, headerLength);
  const { recordKey, nonce } = deriveKey(found.secret, PURPOSE, header.subarray(-SALT_BYTES));
  const decipher = createDecipheriv(CIPHER, recordKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(additionalData(header, key));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return decodeStored(unpack(authenticate(decipher, sealed.subarray(headerLength, -TAG_BYTES))));
}

function additionalData(header: Buffer, key: AnswerKey): Buffer {
  return Buffer.concat([header, Buffer.from(key)]);
}

function authenticate(decipher: ReturnType<typeof createDecipheriv>, ciphertext: Buffer): Buffer {
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    throw new VaultError("vault-corrupt", "the stored answer was changed, or belongs to another image");
  }
}

function pack(json: string): Buffer {
  const plain = Buffer.from(json);
  if (plain.length > MAX_JSON_BYTES)
    throw new VaultError("vault-size", `an answer of ${plain.length} bytes is not stored`);
  if (plain.length < DEFLATE_FROM_BYTES) return Buffer.concat([Buffer.from([PLAIN]), plain]);
  const deflated = deflateRawSync(plain);
  return deflated.length < plain.length
    ? Buffer.concat([Buffer.from([DEFLATED]), deflated])
    : Buffer.concat([Buffer.from([PLAIN]), plain]);
}

function unpack(packed: Buffer): string {
  const body = packed.subarray(1);
  if (packed[0] === PLAIN) return body.toString();
  if (packed[0] !== DEFLATED) throw new VaultError("vault-version", "the stored answer is packed in an unknown way");
  try {
    return inflateRawSync(body, { maxOutputLength: MAX_JSON_BYTES }).toString();
  } catch {
    throw new VaultError("vault-corrupt", "the stored answer cannot be unpacked");
  }
}
