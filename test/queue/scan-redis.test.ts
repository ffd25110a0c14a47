import { expect, test } from "vitest";
import { readRedis } from "../../src/queue/scan-redis.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();

test("everything in a Redis is read: every kind of key, names of fields, long collections, any bytes", async () => {
  const at = (name: string) => `${keys.prefix}:${name}`;
  const many = Array.from({ length: 2500 }, (_, i) => `member-${i}`);
  const binary = Buffer.from([0, 255, 10, 128]);
  await redis.set(at("string"), binary);
  await redis.hset(at("hash"), "field-name", "value-of-it");
  await redis.sadd(at("set"), ...many);
  await redis.zadd(at("zset"), 1234567, "member-with-score");
  await redis.rpush(at("list"), ...many);
  for (const name of many) await redis.xadd(at("stream"), "*", "event", name);
  await redis.pfadd(at("hyperloglog"), "x");

  const found = new Map<string, Buffer>();
  for await (const { key, value } of readRedis(redis)) {
    // Other tests fill the same Redis.
    if (!key.startsWith(`${keys.prefix}:`)) continue;
    const name = key.slice(keys.prefix.length + 1);
    found.set(name, Buffer.concat([found.get(name) ?? Buffer.alloc(0), value]));
  }
  const linesOf = (name: string) => new Set(found.get(name)?.toString().split("\n"));
  expect(found.get("string")).toEqual(binary);
  expect([...linesOf("hash")]).toEqual(["field-name", "value-of-it", ""]);
  expect([...linesOf("zset")]).toEqual(["member-with-score", "1234567", ""]);
  for (const name of ["set", "list", "stream"]) {
    const lines = linesOf(name);
    expect(many.filter((member) => !lines.has(member))).toEqual([]);
  }
  expect(found.has("hyperloglog")).toBe(true);
});
