import type { CardVault, OutcomeSeal } from "../domain/card-vault.js";
import { CardbatchError } from "../domain/errors.js";
import type { Recipients } from "../queue/recipients.js";
import { VaultError } from "../vault/vault-error.js";

/** How stale a key that was replaced or taken away may be. @unit milliseconds */
const KNOWN_MS = 1000;
/** Destinations whose keys are remembered. */
const MOST_KNOWN = 1000;

/**
 * How the outcomes of a destination are encrypted: to its public key where it has one, and with the keyring otherwise. That it
 * has none is asked each time, so that nothing is encrypted to others once a key is registered.
 */
export function createSeals(
  recipients: Recipients,
  vault: CardVault,
): (destination: string | null) => Promise<OutcomeSeal> {
  const known = new Map<string, { readonly untilMs: number; readonly seal: OutcomeSeal }>();
  return async (destination) => {
    if (destination === null) return vault;
    const last = known.get(destination);
    if (last !== undefined && performance.now() < last.untilMs) return last.seal;
    const record = await recipients.get(destination);
    if (record === null) return vault;
    const seal = sealFor(vault, destination, record);
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(destination, { untilMs: performance.now() + KNOWN_MS, seal });
    return seal;
  };
}

function sealFor(vault: CardVault, destination: string, record: string): OutcomeSeal {
  try {
    return vault.sealFor(destination, record);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    throw new CardbatchError("recipient-refused", error.message, { cause: error });
  }
}
