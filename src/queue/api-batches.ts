import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** Fields of a batch's hash that only those batches have that came in over HTTP; scripts read the first two. */
const OWNER = "api:key";
const WEBHOOK = "api:webhook";
const CREATED = "api:createdAt";
const CONTENT = "api:content";

/** What is to be put on the queue of a batch, encrypted. */
export interface BatchSource {
  readonly name: string;
  readonly sealed: Buffer;
}

/** What the batches that came in over HTTP have besides: whose they are, and what is to be put on the queue. */
export interface ApiBatches {
  /** The API key that the batch belongs to; null: none. */
  owner(name: string): Promise<string | null>;
  /** Makes the batch the key's unless it is somebody's. @returns whose it is */
  claim(name: string, key: string): Promise<string>;
  createdAt(name: string): Promise<string | null>;
  /** Where outcomes are told that say nothing else, encrypted. */
  setWebhook(name: string, sealed: string): Promise<void>;
  /**
   * Has the batch's images put on the queue, by whoever comes to it first.
   * @param content a digest of what was asked for: the same batch twice is one
   * @returns the digest of what was asked for first
   */
  setSource(source: BatchSource, content: string): Promise<string>;
  /** Batches whose images are not all on the queue. */
  feeding(): Promise<string[]>;
  isFeeding(name: string): Promise<boolean>;
  source(name: string): Promise<BatchSource | null>;
  fed(name: string): Promise<void>;
  /** Requests of a batch that have their outcome, in the order of that, after the `after`th. */
  outcomes(
    name: string,
    after: number,
    limit: number,
  ): Promise<readonly { readonly order: number; readonly request: string }[]>;
}

export function createApiBatches(redis: Redis, keys: Keys): ApiBatches {
  return {
    owner: (name) => redis.hget(keys.batch(name), OWNER),
    claim: async (name, key) => {
      if ((await redis.hsetnx(keys.batch(name), OWNER, key)) === 1) {
        await redis.hset(keys.batch(name), CREATED, new Date().toISOString());
      }
      return (await redis.hget(keys.batch(name), OWNER)) ?? key;
    },
    createdAt: (name) => redis.hget(keys.batch(name), CREATED),
    setWebhook: async (name, sealed) => void (await redis.hset(keys.batch(name), WEBHOOK, sealed)),
    setSource: async ({ name, sealed }, content) => {
      await redis.hsetnx(keys.batch(name), CONTENT, content);
      const first = (await redis.hget(keys.batch(name), CONTENT)) ?? content;
      if (first === content) await redis.multi().set(keys.apiSource(name), sealed).sadd(keys.apiFeeding(), name).exec();
      return first;
    },
    feeding: () => redis.smembers(keys.apiFeeding()),
    isFeeding: async (name) => (await redis.sismember(keys.apiFeeding(), name)) === 1,
    source: async (name) => {
      const sealed = await redis.getBuffer(keys.apiSource(name));
      return sealed === null ? null : { name, sealed };
    },
    fed: async (name) => void (await redis.multi().srem(keys.apiFeeding(), name).del(keys.apiSource(name)).exec()),
    outcomes: async (name, after, limit) => {
      const key = keys.apiOutcomes(name);
      const found = await redis.zrangebyscore(key, `(${after}`, "+inf", "WITHSCORES", "LIMIT", 0, limit);
      return Array.from({ length: found.length / 2 }, (_, i) => ({
        request: found[2 * i] ?? "",
        order: Number(found[2 * i + 1]),
      }));
    },
  };
}
