import { createHmac } from "node:crypto";
import type { CardVault, OutcomeSeal, SealBinding } from "../domain/card-vault.js";
import { Pan, revealPan } from "../domain/pan.js";
import { openJwe, sealJwe, sealJweFor } from "./jwe.js";
import { activeKey, type Keyring } from "./keyring.js";
import type { Recipient } from "./recipient.js";
import { readRecipient, recordRecipient } from "./recipient-record.js";
import { openAnswer, sealAnswer } from "./sealed-answer.js";
import { openStaged, type StagedCipher, sealStaged } from "./staged-cipher.js";

/** What only `reveal`, and who stages images, need besides. */
export interface Vault extends CardVault {
  /** @throws VaultError */
  openNumber(jwe: string, expected: SealBinding): Promise<Pan>;
  /** For bytes that are to be read once, under this name. */
  sealStaged(name: string): StagedCipher;
  /** @throws VaultError */
  openStaged(sealed: Buffer, name: string): Buffer;
}

/** Says what the HMAC is of, so that the key can serve nothing else by accident. */
const FINGERPRINT_PURPOSE = "pan-fp:v1:";
const NAME_PURPOSE = "name:v1:";

/** The one place where card numbers become unreadable, and readable again. */
export function createVault(keyring: Keyring): Vault {
  return {
    keyringId: keyring.id,
    sealNumber: (pan, binding) => sealJwe(keyring, revealPan(pan), binding),
    openNumber: async (jwe, expected) => new Pan(await openJwe(keyring, jwe, expected)),
    sealText: (text, binding) => sealJwe(keyring, text, binding),
    openText: (jwe, expected) => openJwe(keyring, jwe, expected),
    fingerprint: (pan) => fingerprint(keyring, pan),
    digestName: (name) => keyedDigest(keyring, NAME_PURPOSE + name),
    recordRecipient: (destination, jwk) => recordRecipient(destination, jwk, (text) => keyedDigest(keyring, text)),
    sealFor: (destination, record) => sealFor(readRecipient(destination, record, (text) => keyedDigest(keyring, text))),
    sealAnswer: (stored, key) => sealAnswer(keyring, stored, key),
    openAnswer: (sealed, key) => openAnswer(keyring, sealed, key),
    sealStaged: (name) => sealStaged(keyring, name),
    openStaged: (sealed, name) => openStaged(keyring, sealed, name),
  };
}

/** A keyed hash over the whole number, as PCI DSS 3.5.1.1 asks; all 32 bytes of it. */
function fingerprint(keyring: Keyring, pan: Pan): string {
  const { kid, secret } = activeKey(keyring, "fingerprint");
  const digest = createHmac("sha256", secret).update(FINGERPRINT_PURPOSE).update(revealPan(pan)).digest("base64url");
  return `fp1.${kid}.${digest}`;
}

/** For one asker; see `OutcomeSeal` for why there is no fingerprint. */
function sealFor(recipient: Recipient): OutcomeSeal {
  return {
    sealNumber: (pan, binding) => sealJweFor(recipient, revealPan(pan), binding),
    sealText: (text, binding) => sealJweFor(recipient, text, binding),
    fingerprint: () => null,
  };
}

/** By the first fingerprint key, not the active one: requests must keep their ids when keys are rotated. */
function keyedDigest(keyring: Keyring, text: string): string {
  const key = keyring.keys.find(({ use }) => use === "fingerprint") ?? activeKey(keyring, "fingerprint");
  return createHmac("sha256", key.secret).update(text).digest("base64url");
}
