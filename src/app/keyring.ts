import { existsSync } from "node:fs";
import { ConfigError } from "../domain/errors.js";
import type { Keyring } from "../vault/keyring.js";
import { createKeyring, loadKeyring } from "../vault/keyring-file.js";

/** What Redis knows of the keyring that its data is encrypted with. */
export interface KeyringRecord {
  read(): Promise<string | null>;
  /** Sets it unless it is set; returns what is set then. */
  claim(id: string): Promise<string>;
}

/**
 * The keyring that this Redis's data belongs to. A missing one is made only for the private Redis, and only while that
 * holds nothing yet.
 * @throws ConfigError when the file is missing, or another than the one that is in use
 */
export async function openKeyring(path: string, record: KeyringRecord, isPrivateRedis: boolean): Promise<Keyring> {
  const inUse = await record.read();
  if (!existsSync(path) && inUse !== null) {
    throw new ConfigError(
      `the data in this Redis is encrypted with keyring ${inUse}, and ${path} is missing; put it back`,
    );
  }
  if (!existsSync(path) && !isPrivateRedis) {
    throw new ConfigError(`no keyring at ${path}; make one with \`cardbatch keys init\`, or set CARDBATCH_KEYRING`);
  }
  const keyring = existsSync(path) ? await loadKeyring(path) : (await createKeyring(path)).keyring;
  const claimed = await record.claim(keyring.id);
  if (claimed === keyring.id) return keyring;
  throw new ConfigError(
    `the data in this Redis is encrypted with keyring ${claimed}, and ${path} is keyring ${keyring.id}; ` +
      "set CARDBATCH_KEYRING to the right one, or use another Redis or CARDBATCH_PREFIX",
  );
}
