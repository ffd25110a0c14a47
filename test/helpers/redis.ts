import { randomBytes } from "node:crypto";
import { afterAll, inject } from "vitest";
import { Keys } from "../../src/queue/keys.js";
import { connectRedis, type Redis } from "../../src/queue/redis.js";

export interface TestRedis {
  readonly url: string;
  readonly redis: Redis;
  /** Under a prefix that no other test file uses. */
  readonly keys: Keys;
  /** One more connection, closed with the rest: another process, as far as Redis can tell. */
  connect(url?: string): Redis;
}

/** The Redis of this test run with names of its own for one test file, which are gone when the file is through. */
export function openTestRedis(): TestRedis {
  const url = inject("redisUrl");
  const connections: Redis[] = [];
  const connect = (to = url) => {
    const redis = connectRedis({ url: to, name: "cardbatch-test", onError: () => {} });
    connections.push(redis);
    return redis;
  };
  const redis = connect();
  const keys = new Keys(`{t-${randomBytes(6).toString("hex")}}`);
  afterAll(async () => {
    for (const names of await allKeys(redis, keys.prefix)) await redis.unlink(...names);
    for (const connection of connections) connection.disconnect();
  });
  return { url, redis, keys, connect };
}

/** Names of all keys under a prefix, a thousand at a time. */
export async function allKeys(redis: Redis, prefix: string): Promise<string[][]> {
  const found: string[][] = [];
  for await (const names of redis.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if ((names as string[]).length > 0) found.push(names as string[]);
  }
  return found;
}
