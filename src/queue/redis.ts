import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis as Client, type RedisOptions as ClientOptions } from "ioredis";
import { isRefusal } from "./redis-trouble.js";

/** An idle worker learns within this time that Redis is back; the library's own default grows to 20 s. */
const LONGEST_RECONNECT_MS = 1000;
/** A server that refuses to write is asked again this often. */
const REFUSED_AGAIN_MS = 500;
/** A connection on which a reply is due and nothing comes for so long is dead, whatever the system says. */
const SILENCE_MS = 5000;
/** BullMQ's blocking commands wait 10 s at the most. */
const BLOCKING_SILENCE_MS = 12_000;
const RESEND = 2;

/** A connection to Redis. Its copies are those on which BullMQ's workers wait for jobs. */
export class Redis extends Client {
  override duplicate(options: Partial<ClientOptions> = {}): Client {
    return super.duplicate({ socketTimeout: BLOCKING_SILENCE_MS, ...options });
  }
}

export interface RedisOptions {
  readonly url: string;
  /** Shows in `CLIENT LIST`. */
  readonly name: string;
  /** Told of connection trouble; the library reconnects by itself. */
  readonly onError: (error: Error) => void;
  /** Told of commands that the server refuses at present; they are sent again. */
  readonly onRefusal?: (error: Error) => void;
}

/**
 * A connection that waits for a Redis that is away, full, read-only or loading instead of failing, however long that takes:
 * what it was asked is kept, in its order, and sent again. So every command must bear being done twice.
 */
export function connectRedis({ url, name, onError, onRefusal = () => {} }: RedisOptions): Redis {
  let isRefused = false;
  const redis = new Redis(url, {
    connectionName: name,
    maxRetriesPerRequest: null,
    socketTimeout: SILENCE_MS,
    retryStrategy: (attempt) => {
      const waitMs = isRefused ? REFUSED_AGAIN_MS : Math.min(50 * 2 ** attempt, LONGEST_RECONNECT_MS);
      isRefused = false;
      return waitMs;
    },
    // The library can only send a command again on another connection.
    reconnectOnError: (error) => {
      if (!isRefusal(error)) return false;
      isRefused = true;
      onRefusal(error);
      return RESEND;
    },
  });
  redis.on("error", onError);
  redis.on("connect", () => {
    // Each refusal of many that come at once waits for the connection's end.
    redis.stream.setMaxListeners(0);
    gatherWrites(redis.stream);
  });
  return redis;
}

/** What is written in one turn of the event loop leaves together: fewer packets for us, fewer wake-ups for Redis. */
function gatherWrites(stream: Writable): void {
  const write = stream.write;
  let isGathering = false;
  const gatherThenWrite = (...args: Parameters<typeof write>): boolean => {
    if (!isGathering) {
      isGathering = true;
      stream.cork();
      setImmediate(() => {
        isGathering = false;
        stream.uncork();
      });
    }
    return write.apply(stream, args);
  };
  stream.write = gatherThenWrite as typeof write;
}

/**
 * Does again what a breaking connection has left half done: a pipeline of which some replies had come already is not sent
 * again by the library.
 */
export async function untilDone<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "AbortError") throw error;
      await sleep(REFUSED_AGAIN_MS);
    }
  }
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
