import type { ProviderName } from "../domain/answer.js";
import type { Keys } from "./keys.js";
import { TOLD_KEPT_MS } from "./pace.js";
import { OVERRIDE } from "./pace-scripts/agree.js";
import { loadScript, type Redis } from "./redis.js";

/**
 * Sets the calls a second of every known account of a provider, over what its processes were told; they obey from their next
 * call on.
 * @param rate null: what they were told counts again
 * @returns how many accounts that were
 */
export async function overrideRate(
  redis: Redis,
  keys: Keys,
  provider: ProviderName,
  rate: number | "auto" | null,
): Promise<number> {
  const override = loadScript(redis, OVERRIDE);
  const paces = (await redis.smembers(keys.paces())).filter((name) => name.startsWith(`${provider} `));
  for (const name of paces) {
    const key = name.slice(provider.length + 1);
    await override(key, `${key}:back`, `${key}:told`, "", TOLD_KEPT_MS, rate ?? "");
  }
  return paces.length;
}
