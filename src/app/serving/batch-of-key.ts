import type { ProviderName } from "../../domain/answer.js";
import type { ApiKey } from "../../domain/api-key.js";
import type { Batch } from "../../domain/batch.js";
import { thresholdsOf } from "../thresholds.js";
import type { ServingParts } from "./parts.js";

export interface WantedBatch {
  /** Null: the key's own of today. */
  readonly name: string | null;
  /** Null: what the batch has, or the server's. */
  readonly providers: readonly ProviderName[] | null;
}

/** Why a batch cannot be had. */
export type BatchRefusal = "taken" | "other-providers" | "no-provider";

/**
 * The batch that a key's images go to, made where there is none. Without a name it is the key's own of the day: one for ever would
 * grow for ever.
 */
export async function batchOfKey(
  { app, apiBatches, options }: ServingParts,
  key: ApiKey,
  { name: wanted, providers }: WantedBatch,
): Promise<Batch | BatchRefusal> {
  const asked = providers ?? options.providers;
  const name = wanted ?? defaultName(key, asked);
  const known = await app.batches.get(name);
  if (known === null && asked.length === 0) return "no-provider";
  if (known !== null && (await apiBatches.owner(name)) === null) return "taken";
  if ((await apiBatches.claim(name, key.id)) !== key.id) return "taken";
  if (known !== null) {
    const isSame = providers === null || providers.join() === known.providers.join();
    return isSame ? known : "other-providers";
  }
  return app.batches.open({
    name,
    providers: asked,
    destination: key.destination,
    sources: [],
    thresholds: thresholdsOf(app.config),
    refresh: false,
  });
}

function defaultName({ id }: ApiKey, providers: readonly ProviderName[]): string {
  const day = new Date().toISOString().slice(0, 10);
  return ["api", id, day, ...providers].join("-");
}
