/**
 * - `vault-key`: sealed with a key that is not in this keyring.
 * - `vault-corrupt`: changed, cut short, or never made here.
 * - `vault-binding`: genuine, but made for another request or field.
 * - `vault-version`: made by a later version of cardbatch.
 * - `vault-size`: longer than anything the vault makes, or asked to be.
 * - `vault-recipient`: sealed for an asker's public key, whose private half alone opens it; or such a key that nobody with this
 *   keyring registered.
 */
export type VaultErrorCode =
  | "vault-key"
  | "vault-corrupt"
  | "vault-binding"
  | "vault-version"
  | "vault-size"
  | "vault-recipient";

/** Something sealed cannot be opened. Holds neither what was sealed nor the keys, and has no cause that might. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code: VaultErrorCode;

  constructor(code: VaultErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
