import type { App } from "../../app.js";
import type { ProviderName } from "../../domain/answer.js";
import type { ApiKey } from "../../domain/api-key.js";
import type { Batch } from "../../domain/batch.js";
import type { ApiBatches } from "../../queue/api-batches.js";
import { thresholdsOf } from "../thresholds.js";

export interface WantedBatch {
  /** Null: the key's own of today. */
  readonly name: string | null;
  /** Null: what the batch has, or the server's. */
  readonly providers: readonly ProviderName[] | null;
}

/** Why a batch cannot be had. */
export type BatchRefusal = "taken" | "other-providers" | "no-provider";

/** How stale what is known of a batch may be: a batch is its key's for ever, and only a halt can be new. @unit milliseconds */
const KNOWN_MS = 1000;
const MOST_KNOWN = 1000;

export interface BatchesOfKeysDeps {
  readonly app: Pick<App, "batches" | "config">;
  readonly apiBatches: Pick<ApiBatches, "owner" | "claim">;
  /** Asked where neither the batch nor who makes it names one. */
  readonly providers: readonly ProviderName[];
}

/**
 * Finds the batches that keys' images go to, and makes those that there are not yet. Without a name it is the key's own of the
 * day: one for ever would grow for ever.
 */
export function createBatchesOfKeys({ app, apiBatches, providers: served }: BatchesOfKeysDeps) {
  const known = new Map<string, { readonly untilMs: number; readonly batch: Batch }>();

  const openFor = async (key: ApiKey, name: string, providers: readonly ProviderName[]) => {
    const batch = await app.batches.get(name);
    if (batch === null && providers.length === 0) return "no-provider";
    if (batch !== null && (await apiBatches.owner(name)) === null) return "taken";
    if ((await apiBatches.claim(name, key.id)) !== key.id) return "taken";
    if (batch !== null) return batch;
    return app.batches.open({
      name,
      providers,
      destination: key.destination,
      sources: [],
      thresholds: thresholdsOf(app.config),
      refresh: false,
    });
  };

  return async (key: ApiKey, { name: wanted, providers }: WantedBatch): Promise<Batch | BatchRefusal> => {
    const asked = providers ?? served;
    const name = wanted ?? defaultName(key, asked);
    const place = `${key.id} ${name}`;
    const last = known.get(place);
    const isKnown = last !== undefined && performance.now() < last.untilMs;
    const batch = isKnown ? last.batch : await openFor(key, name, asked);
    if (typeof batch === "string") return batch;
    if (!isKnown) {
      if (known.size >= MOST_KNOWN) known.clear();
      known.set(place, { untilMs: performance.now() + KNOWN_MS, batch });
    }
    return providers === null || providers.join() === batch.providers.join() ? batch : "other-providers";
  };
}

function defaultName({ id }: ApiKey, providers: readonly ProviderName[]): string {
  const day = new Date().toISOString().slice(0, 10);
  return ["api", id, day, ...providers].join("-");
}
