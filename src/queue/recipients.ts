import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** Which destinations have a public key, by records that only the vault can make and read. */
export interface Recipients {
  /** Null: its outcomes are encrypted with the keyring. */
  get(destination: string): Promise<string | null>;
  /** @returns the record that was there before */
  set(destination: string, record: string): Promise<string | null>;
  /** @returns whether there was one */
  remove(destination: string): Promise<boolean>;
  list(): Promise<Readonly<Record<string, string>>>;
}

export function createRecipients(redis: Redis, keys: Keys): Recipients {
  const name = keys.recipients();
  return {
    get: (destination) => redis.hget(name, destination),
    set: async (destination, record) => {
      const before = await redis.hget(name, destination);
      await redis.hset(name, destination, record);
      return before;
    },
    remove: async (destination) => (await redis.hdel(name, destination)) > 0,
    list: () => redis.hgetall(name),
  };
}
