import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/** A server that dies while it tells an outcome leaves it to others after this time. @unit milliseconds */
const CLAIMED_MS = 6000;

/**
 * Takes deliveries that are due, for a while. KEYS: due. ARGV: prefix, how many, ms they are claimed for.
 * Returns id, request, key, webhook, attempts, since and the outcome of each; those without an outcome are forgotten.
 */
const CLAIM = {
  name: "cardbatchClaimDeliveries",
  keys: 1,
  lua: `
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local claimed = {}
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'LIMIT', 0, ARGV[2])) do
      local fields = redis.call('HMGET', ARGV[1] .. ':api:dlv:' .. id, 'request', 'key', 'webhook', 'attempts', 'since')
      local outcome = fields[1] and redis.call('HGET', ARGV[1] .. ':api:req:' .. fields[1], 'outcome')
      if outcome then
        redis.call('ZADD', KEYS[1], now + ARGV[3], id)
        table.insert(claimed, { id, fields[1], fields[2], fields[3], fields[4], fields[5], outcome })
      else
        redis.call('ZREM', KEYS[1], id)
        redis.call('DEL', ARGV[1] .. ':api:dlv:' .. id)
      end
    end
    return claimed`,
};

/**
 * Has a delivery made once more. KEYS: delivery, due, parked. ARGV: id, now. Returns 0 when there is none.
 */
const REPLAY = {
  name: "cardbatchReplayDelivery",
  keys: 3,
  lua: `
    if redis.call('EXISTS', KEYS[1]) == 0 then
      redis.call('ZREM', KEYS[3], ARGV[1])
      return 0
    end
    redis.call('HSET', KEYS[1], 'state', 'due', 'attempts', 0, 'since', ARGV[2])
    redis.call('ZREM', KEYS[3], ARGV[1])
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
    return 1`,
};

/** An outcome that is to be told now. */
export interface Delivery {
  /** The `webhook-id`, the same each time. */
  readonly id: string;
  readonly request: string;
  readonly key: string;
  /** The address, encrypted. */
  readonly webhook: string;
  /** Tries so far. */
  readonly attempts: number;
  /** When it was due first, or was replayed. @unit Unix time in ms */
  readonly sinceMs: number;
  /** The record as JSON. */
  readonly outcome: string;
}

/** What is known of a delivery. */
export interface DeliveryState {
  readonly id: string;
  readonly request: string;
  readonly key: string;
  readonly state: "due" | "parked" | "done";
  readonly attempts: number;
  /** Why the last try failed; null: none did. */
  readonly reason: string | null;
}

/** The outcomes that are to be told: a sorted set by when, so that storing one and having it told is one step. */
export interface Deliveries {
  /** Takes some that are due, for a few seconds: whoever does not say by then that it still has them loses them to others. */
  claim(limit: number): Promise<Delivery[]>;
  /** These are still being told. */
  keep(ids: readonly string[]): Promise<void>;
  done(id: string): Promise<void>;
  later(id: string, delayMs: number, reason: string): Promise<void>;
  /** Gives it up until somebody has it replayed. */
  park(delivery: Pick<Delivery, "id" | "key">, reason: string): Promise<void>;
  get(id: string): Promise<DeliveryState | null>;
  /** Those of a key that were given up, oldest first. */
  parked(key: string, limit: number): Promise<DeliveryState[]>;
  /** @returns whether there is such a delivery */
  replay(delivery: Pick<Delivery, "id" | "key">): Promise<boolean>;
}

export function createDeliveries(redis: Redis, keys: Keys): Deliveries {
  const claim = loadScript(redis, CLAIM);
  const replay = loadScript(redis, REPLAY);
  const get = async (id: string): Promise<DeliveryState | null> => {
    const fields = await redis.hgetall(keys.delivery(id));
    const { request, key, state, attempts, reason } = fields;
    if (request === undefined || key === undefined) return null;
    const known = state === "parked" || state === "done" ? state : "due";
    return { id, request, key, state: known, attempts: Number(attempts), reason: reason ?? null };
  };
  const change = async (id: string, fields: Readonly<Record<string, string>>) => {
    // One that was forgotten meanwhile stays so.
    if ((await redis.exists(keys.delivery(id))) === 1) await redis.hset(keys.delivery(id), fields);
  };
  return {
    claim: async (limit) => {
      const claimed = (await claim(keys.deliveriesDue(), keys.prefix, limit, CLAIMED_MS)) as string[][];
      return claimed.map(([id = "", request = "", key = "", webhook = "", attempts, since, outcome = ""]) => ({
        id,
        request,
        key,
        webhook,
        attempts: Number(attempts),
        sinceMs: Number(since),
        outcome,
      }));
    },
    keep: async (ids) => {
      const untilMs = Date.now() + CLAIMED_MS;
      const kept = ids.flatMap((id) => [untilMs, id]);
      if (kept.length > 0) await redis.zadd(keys.deliveriesDue(), "XX", ...kept);
    },
    done: async (id) => {
      await redis.zrem(keys.deliveriesDue(), id);
      await change(id, { state: "done" });
    },
    later: async (id, delayMs, reason) => {
      await change(id, { reason });
      await redis.hincrby(keys.delivery(id), "attempts", 1);
      await redis.zadd(keys.deliveriesDue(), "XX", Date.now() + delayMs, id);
    },
    park: async ({ id, key }, reason) => {
      await change(id, { state: "parked", reason });
      await redis.zadd(keys.deliveriesParked(key), Date.now(), id);
      await redis.zrem(keys.deliveriesDue(), id);
    },
    get,
    parked: async (key, limit) => {
      const ids = await redis.zrange(keys.deliveriesParked(key), "0", String(limit - 1));
      const states = await Promise.all(ids.map(get));
      const gone = ids.filter((_, i) => states[i] === null);
      if (gone.length > 0) await redis.zrem(keys.deliveriesParked(key), ...gone);
      return states.filter((state) => state !== null);
    },
    replay: async ({ id, key }) => {
      const names = [keys.delivery(id), keys.deliveriesDue(), keys.deliveriesParked(key)] as const;
      return (await replay(...names, id, Date.now())) === 1;
    },
  };
}
