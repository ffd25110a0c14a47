import type { Redis } from "./redis.js";

/** Members of a collection that are fetched together. */
const PAGE = 1000;

/** One key's content, or a part of it. */
export interface RedisContent {
  readonly key: string;
  readonly value: Buffer;
}

/** Every key of a Redis with all that it holds, names of fields included, a piece at a time. */
export async function* readRedis(redis: Redis): AsyncGenerator<RedisContent> {
  let cursor = "0";
  do {
    const [next, keys] = await redis.scanBuffer(cursor, "COUNT", PAGE);
    cursor = next.toString();
    for (const key of keys) {
      for await (const value of readKey(redis, key)) yield { key: key.toString(), value };
    }
  } while (cursor !== "0");
}

async function* readKey(redis: Redis, key: Buffer): AsyncGenerator<Buffer> {
  switch (await redis.type(key)) {
    case "string":
      return yield (await redis.getBuffer(key)) ?? Buffer.alloc(0);
    case "hash":
      return yield* pages((cursor) => redis.hscanBuffer(key, cursor, "COUNT", PAGE));
    case "set":
      return yield* pages((cursor) => redis.sscanBuffer(key, cursor, "COUNT", PAGE));
    case "zset":
      return yield* pages((cursor) => redis.zscanBuffer(key, cursor, "COUNT", PAGE));
    case "list":
      return yield* readList(redis, key);
    case "stream":
      return yield* readStream(redis, key);
    default:
      return;
  }
}

async function* pages(scan: (cursor: string) => Promise<[Buffer, Buffer[]]>): AsyncGenerator<Buffer> {
  let cursor = "0";
  do {
    const [next, members] = await scan(cursor);
    cursor = next.toString();
    yield joined(members);
  } while (cursor !== "0");
}

async function* readList(redis: Redis, key: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; ; start += PAGE) {
    const members = await redis.lrangeBuffer(key, start, start + PAGE - 1);
    if (members.length === 0) return;
    yield joined(members);
  }
}

async function* readStream(redis: Redis, key: Buffer): AsyncGenerator<Buffer> {
  for (let start = "-"; ; ) {
    const entries = await redis.xrangeBuffer(key, start, "+", "COUNT", PAGE);
    const last = entries.at(-1);
    if (last === undefined) return;
    yield joined(entries.flatMap(([, fields]) => fields));
    start = `(${last[0].toString()}`;
  }
}

/** A line each, so that two members never make one number. */
function joined(members: readonly Buffer[]): Buffer {
  return Buffer.concat(members.flatMap((member) => [member, LINE_END]));
}

const LINE_END = Buffer.from("\n");
