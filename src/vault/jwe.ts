import { createCipheriv, type KeyObject, randomBytes } from "node:crypto";
import { compactDecrypt, decodeProtectedHeader, errors } from "jose";
import type { SealBinding } from "../domain/card-vault.js";
import { activeKey, findKey, type Keyring } from "./keyring.js";
import { agreeOnKey, RECIPIENT_ALGORITHM, type Recipient } from "./recipient.js";
import { VaultError } from "./vault-error.js";

/**
 * Compact JWE (RFC 7516) with a fresh content key each: `enc` A256GCM, the content key wrapped by the keyring's (`alg` A256KW) or
 * for an asker's public key (`alg` ECDH-ES+A256KW). What it belongs to is in the protected header, for every reader to compare
 * with the row: `rid` request, `fld` field, `v` version.
 */
const ALGORITHM = "A256KW";
const ENCRYPTION = "A256GCM";
const VERSION = 1;
/** A path of 4,096 bytes, encrypted and in base64, with room for its header. @unit characters */
const MAX_LENGTH = 16_384;
const MAX_PLAINTEXT_BYTES = 8192;

/** AES key wrap's initial value (RFC 3394, 2.2.3.1). */
const WRAP_IV = Buffer.alloc(8, 0xa6);
const CONTENT_KEY_BYTES = 32;
const NONCE_BYTES = 12;

/** @throws VaultError `vault-size` */
export async function sealJwe(keyring: Keyring, text: string, binding: SealBinding): Promise<string> {
  const { kid, secret } = activeKey(keyring, "jwe");
  return seal(text, binding, { alg: ALGORITHM, enc: ENCRYPTION, kid }, secret);
}

/**
 * The same for an asker's public key: whoever sealed it cannot open it again.
 * @throws VaultError `vault-size`
 */
export async function sealJweFor(recipient: Recipient, text: string, binding: SealBinding): Promise<string> {
  const { epk, wrappingKey } = agreeOnKey(recipient);
  const header = { alg: RECIPIENT_ALGORITHM, enc: ENCRYPTION, kid: recipient.jwk.kid, epk };
  return seal(text, binding, header, wrappingKey);
}

/**
 * The five parts of RFC 7516, 5.1, in its order. By node:crypto and not by jose, which makes three trips to the thread pool of
 * it and takes six times the CPU; jose opens what is sealed here.
 */
function seal(text: string, { request, field }: SealBinding, header: object, wrappingKey: KeyObject): string {
  const plaintext = Buffer.from(text);
  if (plaintext.length > MAX_PLAINTEXT_BYTES)
    throw new VaultError("vault-size", `${plaintext.length} bytes are not sealed`);
  const bound = { ...header, rid: request, fld: field, v: VERSION };
  const protectedHeader = Buffer.from(JSON.stringify(bound)).toString("base64url");
  const contentKey = randomBytes(CONTENT_KEY_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", contentKey, nonce).setAAD(Buffer.from(protectedHeader));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const parts = [wrapKey(wrappingKey, contentKey), nonce, ciphertext, cipher.getAuthTag()];
  return [protectedHeader, ...parts.map((part) => part.toString("base64url"))].join(".");
}

/** AES key wrap (RFC 3394). */
function wrapKey(secret: KeyObject, contentKey: Buffer): Buffer {
  const cipher = createCipheriv("id-aes256-wrap", secret, WRAP_IV);
  return Buffer.concat([cipher.update(contentKey), cipher.final()]);
}

/** @throws VaultError for everything that this keyring did not seal for this request and field */
export async function openJwe(keyring: Keyring, jwe: string, expected: SealBinding): Promise<string> {
  if (jwe.length > MAX_LENGTH) throw new VaultError("vault-size", `a JWE of ${jwe.length} characters is not opened`);
  if (!jwe.split(".").every(isCanonical)) throw new VaultError("vault-corrupt", "not a JWE");
  const { plaintext, protectedHeader } = await decrypt(keyring, jwe);
  if (protectedHeader.v !== VERSION) throw new VaultError("vault-version", "the JWE has another version");
  if (protectedHeader.rid !== expected.request || protectedHeader.fld !== expected.field) {
    throw new VaultError("vault-binding", "the JWE was made for another request or field");
  }
  return Buffer.from(plaintext).toString();
}

/** Base64url with spare bits set decodes all the same; here a ciphertext has one spelling. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, "base64url").toString("base64url") === part;
}

/** The algorithms are pinned, compression is refused: a header chooses nothing but the key's name. */
async function decrypt(keyring: Keyring, jwe: string): ReturnType<typeof compactDecrypt> {
  const findSecret = ({ kid }: { kid?: string }) => {
    const key = findKey(keyring, "jwe", kid ?? "");
    if (key === null) throw new VaultError("vault-key", `the JWE's key is not in the keyring ${keyring.id}`);
    return key.secret;
  };
  try {
    if (decodeProtectedHeader(jwe).alg === RECIPIENT_ALGORITHM) {
      throw new VaultError("vault-recipient", "the JWE is the asker's: only the private key opens it");
    }
    return await compactDecrypt(jwe, findSecret, {
      keyManagementAlgorithms: [ALGORITHM],
      contentEncryptionAlgorithms: [ENCRYPTION],
      maxDecompressedLength: 0,
    });
  } catch (error) {
    if (error instanceof VaultError) throw error;
    const reason = error instanceof errors.JOSEError ? error.code : "not a JWE";
    throw new VaultError("vault-corrupt", `the JWE cannot be opened: ${reason}`);
  }
}
