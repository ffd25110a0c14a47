import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deriveKey } from "./derive-key.js";
import { activeKey, findKey, type Keyring } from "./keyring.js";
import { VaultError } from "./vault-error.js";

/**
 * Bytes that wait to be worked on, encrypted as they come: `version ‖ kid length ‖ kid ‖ salt`, AES-256-GCM ciphertext, tag.
 * Their name is authenticated, so that no file can take another's place. Nothing is given out before the tag was checked.
 */
const VERSION = 1;
const SALT_BYTES = 32;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";
const PURPOSE = "cardbatch staged v1:";

/** The parts of what is written, in their order: `header`, what `update` returns, what `final` returns. */
export interface StagedCipher {
  readonly header: Buffer;
  update(chunk: Uint8Array): Buffer;
  final(): Buffer;
}

export function sealStaged(keyring: Keyring, name: string): StagedCipher {
  const { kid, secret } = activeKey(keyring, "answer");
  const salt = randomBytes(SALT_BYTES);
  const header = Buffer.concat([Buffer.from([VERSION, kid.length]), Buffer.from(kid), salt]);
  const { recordKey, nonce } = deriveKey(secret, PURPOSE, salt);
  const cipher = createCipheriv(CIPHER, recordKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.concat([header, Buffer.from(name)]));
  return {
    header,
    update: (chunk) => cipher.update(chunk),
    final: () => Buffer.concat([cipher.final(), cipher.getAuthTag()]),
  };
}

/** @throws VaultError for everything that this keyring did not seal under this name */
export function openStaged(keyring: Keyring, sealed: Buffer, name: string): Buffer {
  const [version, kidLength = 0] = sealed;
  if (version !== VERSION) throw new VaultError("vault-version", `the staged bytes have form ${version ?? "none"}`);
  const headerLength = 2 + kidLength + SALT_BYTES;
  if (sealed.length < headerLength + TAG_BYTES) throw new VaultError("vault-corrupt", "the staged bytes are cut short");
  const found = findKey(keyring, "answer", sealed.toString("latin1", 2, 2 + kidLength));
  if (found === null) throw new VaultError("vault-key", `the staged bytes' key is not in the keyring ${keyring.id}`);
  const header = sealed.subarray(0, headerLength);
  const { recordKey, nonce } = deriveKey(found.secret, PURPOSE, header.subarray(-SALT_BYTES));
  const decipher = createDecipheriv(CIPHER, recordKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat([header, Buffer.from(name)]));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = decipher.update(sealed.subarray(headerLength, -TAG_BYTES));
  try {
    decipher.final();
  } catch {
    throw new VaultError("vault-corrupt", "the staged bytes were changed, or belong elsewhere");
  }
  return plain;
}
