/**
 * A killed Redis loses nothing either way; a power cut loses the last second. `always` would save that second's answers,
 * and cost 30 % of the throughput against a vendor that answers at once (2,000 calls, median of three).
 */
const APPEND_FSYNC = "everysec";

/** What a private server's configuration depends on. */
export interface ServerConfig {
  readonly bind: string;
  readonly port: number;
  readonly password: string;
  readonly dataFolder: string;
  /** Directives on top of the defaults, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * The text of a private server's redis.conf, for Redis 6 and later and Valkey. Given as a file, readable by its owner
 * alone, because arguments show in the process list.
 */
export function serverConfig(config: ServerConfig): string {
  const directives: Record<string, string> = {
    bind: config.bind,
    port: String(config.port),
    requirepass: config.password,
    dir: config.dataFolder,
    daemonize: "no",
    logfile: "",
    save: "",
    appendonly: "yes",
    appendfsync: APPEND_FSYNC,
    "aof-load-truncated": "yes",
    "maxmemory-policy": "noeviction",
    // A job is a small hash with one field of a few hundred bytes: kept as a list it takes about half the memory.
    // Redis 7 and later and Valkey call these two hash-max-listpack-* and know the old names.
    "hash-max-ziplist-entries": "4096",
    "hash-max-ziplist-value": "4096",
    ...config.settings,
  };
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${quote(value)}\n`)
    .join("");
}

/** Redis splits a line as a shell would, with the escapes of C in double quotes. */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r")}"`;
}
