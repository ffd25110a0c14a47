import type { Redis } from "ioredis";

/** Longest wait between two tries to reach Redis. @unit milliseconds */
const LONGEST_RECONNECT_MS = 1000;
/** A connection on which a reply is due and nothing comes for so long is dead. BullMQ's blocking commands wait 10 s. @unit milliseconds */
const SILENCE_MS = 12_000;

export interface ConnectOptions {
  readonly redisUrl: string;
  readonly name: string;
  /** How often a command is sent again over new connections; null: for ever. */
  readonly retries: number | null;
  readonly onError: (error: Error) => void;
}

/** The driver is loaded when it is needed: who only speaks HTTP needs neither it nor BullMQ. */
export async function connect({ redisUrl, name, retries, onError }: ConnectOptions): Promise<Redis> {
  const { Redis: Client } = await import("ioredis");
  const redis = new Client(redisUrl, {
    connectionName: name,
    maxRetriesPerRequest: retries,
    socketTimeout: SILENCE_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, LONGEST_RECONNECT_MS),
  });
  redis.on("error", onError);
  return redis;
}
