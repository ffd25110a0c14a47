import { createSecretKey } from "node:crypto";
import { KEY_USES, type Keyring, type KeyringKey } from "../../src/vault/keyring.js";

/** A keyring that is the same in every run. */
export function testKeyring(name = "a"): Keyring {
  const keys = KEY_USES.map((use, index): KeyringKey => {
    const secret = createSecretKey(Buffer.alloc(32, `${name}${index}`));
    return { kid: `${use}-${name}`, use, secret, active: true, notAfter: null };
  });
  return { id: `kr_test-${name}`, created: "2026-11-22T08:00:00.000Z", keys };
}

/** The keyring as it is after a rotation: `next` seals, both open. */
export function rotate(keyring: Keyring, next: Keyring): Keyring {
  return { ...keyring, keys: [...keyring.keys.map((key) => ({ ...key, active: false })), ...next.keys] };
}
