import { Redis } from "ioredis";

/** An idle worker learns within this time that Redis is back; the library's own default grows to 20 s. */
const LONGEST_RECONNECT_MS = 1000;

export type { Redis };

export interface RedisOptions {
  readonly url: string;
  /** Shows in `CLIENT LIST`. */
  readonly name: string;
  /** Told of connection trouble; the library reconnects by itself. */
  readonly onError: (error: Error) => void;
}

/** A connection that waits for a Redis that is away instead of failing, however long that takes. */
export function connectRedis({ url, name, onError }: RedisOptions): Redis {
  const redis = new Redis(url, {
    connectionName: name,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, LONGEST_RECONNECT_MS),
  });
  redis.on("error", onError);
  return redis;
}

/** A Lua script, to be run atomically on the server. */
export interface RedisScript {
  readonly name: string;
  /** How many of the arguments are keys; `"counted"`: the first argument says. */
  readonly keys: number | "counted";
  readonly lua: string;
}

type ScriptArgument = string | number | Buffer;
type RunScript = (...args: ScriptArgument[]) => Promise<unknown>;

/** Gives a script to a connection; call the result with the keys, then the arguments. */
export function loadScript(redis: Redis, script: RedisScript): RunScript {
  return loaded(redis, script, script.name);
}

/** The same, with bulk replies as Buffers. */
export function loadBinaryScript(redis: Redis, script: RedisScript): RunScript {
  return loaded(redis, script, `${script.name}Buffer`);
}

function loaded(redis: Redis, { name, keys, lua }: RedisScript, method: string): RunScript {
  redis.defineCommand(name, keys === "counted" ? { lua } : { numberOfKeys: keys, lua });
  const commands = redis as unknown as Record<string, RunScript>;
  const command = commands[method];
  if (command === undefined) throw new Error(`the Redis client did not take the script ${name}`);
  return command.bind(redis);
}
