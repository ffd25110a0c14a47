import type { AnswerKey, StoredAnswer } from "./answer.js";
import type { Pan } from "./pan.js";

/** What a ciphertext belongs to: it opens nowhere else, so that none can be moved to another line or field. */
export interface SealBinding {
  /** The request's id; for a reference in a job, which has none yet, the batch's name. */
  readonly request: string;
  /** The field's path in the record: `numberField(i)` or `SOURCE_FIELD`. */
  readonly field: string;
}

/** The field of the reference that `image.sourceJwe` holds. */
export const SOURCE_FIELD = "image.source";

/** The field of a job that names the image where the name holds a card number. */
export const JOB_REFERENCE_FIELD = "job.image";

/** The field of an address that outcomes are told to, which may hold a password; its request is the API key's id. */
export const WEBHOOK_FIELD = "webhook.url";

/** The field of a secret that webhooks are signed with; its request is the API key's id. */
export const WEBHOOK_SECRET_FIELD = "webhook.secret";

/** The field of what a schedule says, which may hold passwords and names of files; its request is the schedule's name. */
export const SCHEDULE_FIELD = "schedule";

/** Of text only: numbers are no text, so that who can open the one cannot open the other. */
export interface TextBinding extends SealBinding {
  readonly field:
    | typeof SOURCE_FIELD
    | typeof JOB_REFERENCE_FIELD
    | typeof WEBHOOK_FIELD
    | typeof WEBHOOK_SECRET_FIELD
    | typeof SCHEDULE_FIELD;
}

/** The field of the number of a record's card. */
export function numberField(card: number): string {
  return `cards.${card}.number`;
}

/** How an outcome's numbers become unreadable: for who holds the keyring, or for its asker alone. */
export interface OutcomeSeal {
  /** The digits as a compact JWE. */
  sealNumber(pan: Pan, binding: SealBinding): Promise<string>;
  /** A reference that holds a card number, as a compact JWE. */
  sealText(text: string, binding: TextBinding): Promise<string>;
  /**
   * `fp1.<kid>.<43 characters>`: equal for equal digits under one key, and of no use without it. Null for an asker alone: who
   * holds the keyring could find the few digits that are masked by trying.
   */
  fingerprint(pan: Pan): string | null;
}

/** The vault as the rest of the application sees it: what goes in comes out encrypted; `vault` alone turns it back into digits. */
export interface CardVault extends OutcomeSeal {
  /** Names the keyring; public. */
  readonly keyringId: string;
  /** @throws VaultError */
  openText(jwe: string, expected: TextBinding): Promise<string>;
  fingerprint(pan: Pan): string;
  /**
   * The record by which a destination's outcomes are encrypted to a public key. It is signed with the keyring: who can write to
   * Redis and no more cannot have outcomes encrypted to a key of their own.
   * @throws UsageError for anything but a public JWK of the kinds that are taken
   */
  recordRecipient(destination: string, jwk: unknown): string;
  /**
   * To the public key of a destination's record.
   * @throws VaultError `vault-recipient` when the record was not made for this destination with this keyring
   */
  sealFor(destination: string, record: string): OutcomeSeal;
  /** A keyed digest of a name that holds a card number; the same as long as the keyring is, rotations included. */
  digestName(name: string): string;
  sealAnswer(stored: StoredAnswer, key: AnswerKey): Buffer;
  /** @throws VaultError */
  openAnswer(sealed: Buffer, key: AnswerKey): StoredAnswer;
}
