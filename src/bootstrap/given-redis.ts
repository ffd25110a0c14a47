import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../domain/errors.js";
import { openRedis, type RedisAddress, RespError } from "./resp.js";

const DEFAULT_PORT = 6379;
const TIMEOUT_MS = 5000;
/** While a Redis loads its data it refuses commands; that may take minutes. */
const LOADING_POLL_MS = 500;

/**
 * Pings the Redis of a `REDIS_URL` (`redis://` or, with TLS, `rediss://`).
 * @returns where it is, without user and password
 * @throws ConfigError that says what was tried and what came back, never the password
 */
export async function checkGivenRedis(redisUrl: string, signal: AbortSignal): Promise<string> {
  const address = parseRedisUrl(redisUrl);
  const where = `${address.host}:${address.port}`;
  for (;;) {
    signal.throwIfAborted();
    try {
      const connection = await openRedis(address, TIMEOUT_MS);
      connection.close();
      return `REDIS_URL, ${where}`;
    } catch (error) {
      if (!(error instanceof RespError && error.code === "LOADING")) {
        throw new ConfigError(
          `REDIS_URL: no Redis at ${where} (${whatCame(error)}); start it, correct REDIS_URL, or unset it to have a private one`,
        );
      }
    }
    await sleep(LOADING_POLL_MS, undefined, { signal });
  }
}

/** @throws ConfigError when it is none; the text itself is not repeated, for the password in it */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["redis:", "rediss:"].includes(url.protocol) || url.hostname === "") {
    throw new ConfigError("REDIS_URL is no URL of the form redis://user:password@host:port or rediss://…");
  }
  const [username, password] = [url.username, url.password].map(decodePercents);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === "rediss:",
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
  };
}

/** A percent sign that starts no escape stands for itself. */
function decodePercents(text: string): string {
  return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
}

/** Redis' own code (`WRONGPASS`, `NOAUTH`), the system's (`ECONNREFUSED`), else a sentence of ours. */
function whatCame(error: unknown): string {
  if (error instanceof RespError) return error.code;
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
