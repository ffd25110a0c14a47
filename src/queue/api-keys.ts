import { type ApiKey, apiKeySchema } from "../domain/api-key.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/**
 * A turn of a key's rate (GCRA), by the server's clock. KEYS: rate. ARGV: ms a request, ms that may be used ahead.
 * Returns 0, or after how many ms to come again.
 */
const TAKE_TURN = {
  name: "cardbatchApiTurn",
  keys: 1,
  lua: `
    local time = redis.call('TIME')
    local now = time[1] * 1000 + time[2] / 1000
    local interval, ahead = tonumber(ARGV[1]), tonumber(ARGV[2])
    local used = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
    local wait = used - ahead - now
    if wait > 0 then return math.ceil(wait) end
    redis.call('SET', KEYS[1], string.format('%.3f', used + interval), 'PX', math.ceil(used + interval - now + 1000))
    return 0`,
};

/** A secret that webhooks are signed with, encrypted. */
export interface WebhookSecret {
  readonly sealed: string;
  /** Null: for as long as the key is. @unit Unix time in ms */
  readonly untilMs: number | null;
}

/** The keys of the HTTP API, in Redis. */
export interface ApiKeys {
  /** Stores the key, or what has changed of it. */
  put(key: ApiKey): Promise<void>;
  get(id: string): Promise<ApiKey | null>;
  list(): Promise<ApiKey[]>;
  /** Where the key's outcomes are told unless a request says otherwise, encrypted; null: nowhere. */
  webhook(id: string): Promise<string | null>;
  setWebhook(id: string, sealed: string | null): Promise<void>;
  secrets(id: string): Promise<readonly WebhookSecret[]>;
  setSecrets(id: string, secrets: readonly WebhookSecret[]): Promise<void>;
  /** Takes one of the requests that the key may make a second. @returns 0, or after how many ms to come again */
  takeTurn(key: ApiKey): Promise<number>;
}

export function createApiKeys(redis: Redis, keys: Keys): ApiKeys {
  const takeTurn = loadScript(redis, TAKE_TURN);
  return {
    put: async (key) => void (await redis.hset(keys.apiKeys(), key.id, JSON.stringify(key))),
    get: async (id) => {
      const text = await redis.hget(keys.apiKeys(), id);
      return text === null ? null : apiKeySchema.parse(JSON.parse(text));
    },
    list: async () => (await redis.hvals(keys.apiKeys())).map((text) => apiKeySchema.parse(JSON.parse(text))),
    webhook: (id) => redis.hget(keys.apiWebhooks(), id),
    setWebhook: async (id, sealed) => {
      if (sealed === null) await redis.hdel(keys.apiWebhooks(), id);
      else await redis.hset(keys.apiWebhooks(), id, sealed);
    },
    secrets: async (id) => JSON.parse((await redis.hget(keys.apiSecrets(), id)) ?? "[]") as WebhookSecret[],
    setSecrets: async (id, secrets) => void (await redis.hset(keys.apiSecrets(), id, JSON.stringify(secrets))),
    takeTurn: async ({ id, rate }) => {
      const intervalMs = 1000 / rate;
      const aheadMs = Math.max(0, 1000 - intervalMs);
      return Number(await takeTurn(keys.apiRate(id), intervalMs, aheadMs));
    },
  };
}
