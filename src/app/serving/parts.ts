import type { App } from "../../app.js";
import type { ProviderName } from "../../domain/answer.js";
import { ConfigError } from "../../domain/errors.js";
import { createApiBatches } from "../../queue/api-batches.js";
import { createApiKeys } from "../../queue/api-keys.js";
import { createDeliveries } from "../../queue/deliveries.js";
import { createReceivedRequests } from "../../queue/received.js";
import { createWebhookPolicy, type WebhookPolicy } from "../../webhooks/target.js";
import { openStagingOf } from "../staging.js";
import { createBatchesOfKeys } from "./batch-of-key.js";
import { createWaiters } from "./waiters.js";

/** What the parts of the service share. */
export type ServingParts = Awaited<ReturnType<typeof openParts>>;

export interface PartsOptions {
  /** Asked where a request names none; empty: it must. */
  readonly providers: readonly ProviderName[];
  /** Most images that may wait. */
  readonly backlog: number;
  /** Largest image taken. @unit bytes */
  readonly maxImageBytes: number;
}

/** @throws ConfigError for a `CARDBATCH_WEBHOOK_ALLOW` that makes no sense */
export async function openParts(app: App, options: PartsOptions) {
  const received = createReceivedRequests(app.redis, app.keys);
  const apiBatches = createApiBatches(app.redis, app.keys);
  return {
    app,
    options,
    received,
    apiKeys: createApiKeys(app.redis, app.keys),
    apiBatches,
    batchOfKey: createBatchesOfKeys({ app, apiBatches, providers: options.providers }),
    deliveries: createDeliveries(app.redis, app.keys),
    staging: await openStagingOf(app),
    policy: webhookPolicyOf(app.config.webhookAllow),
    waiters: createWaiters(received.haveOutcomes),
  };
}

/** @throws ConfigError naming the entry that makes no sense */
export function webhookPolicyOf(allowed: readonly string[]): WebhookPolicy {
  try {
    return createWebhookPolicy(allowed);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`CARDBATCH_WEBHOOK_ALLOW: ${error.message} is no host name, address or subnet`);
  }
}
