import { ProviderError } from "../domain/errors.js";
import type { OcrProvider } from "../domain/provider.js";

/**
 * Renews a provider's credentials at most once for each time they are refused: calls that were under way with the old
 * ones don't count against the new, and new ones that are refused before they ever worked are wrong, not old.
 */
export interface CredentialRenewal {
  /** The credentials in use; hold on to it while a call is under way. */
  epoch(): number;
  worked(epoch: number): void;
  /** @throws ProviderError `provider-credentials` when renewing them cannot help any more */
  refused(epoch: number, refusal: ProviderError, signal: AbortSignal): Promise<void>;
}

export function createCredentialRenewal(provider: OcrProvider): CredentialRenewal {
  let current = 0;
  let lastThatWorked = 0;
  let renewing: Promise<void> | null = null;
  const renewOnce = async (signal: AbortSignal) => {
    await provider.renew?.(signal);
    current++;
  };
  return {
    epoch: () => current,
    worked: (epoch) => {
      lastThatWorked = Math.max(lastThatWorked, epoch);
    },
    refused: async (epoch, refusal, signal) => {
      if (epoch < current) return;
      if (provider.renew === undefined || (current > 0 && lastThatWorked < current)) {
        throw new ProviderError("provider-credentials", `${refusal.message}, again after they were renewed`, {
          ...(refusal.requestId === null ? {} : { requestId: refusal.requestId }),
        });
      }
      renewing ??= renewOnce(signal).finally(() => {
        renewing = null;
      });
      await renewing;
    },
  };
}
