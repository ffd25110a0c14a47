import { homedir } from "node:os";
import { join } from "node:path";
import { type Buckets, createBuckets } from "./app/buckets.js";
import { type Closers, createClosers } from "./app/closers.js";
import { createFailpoint } from "./app/failpoint.js";
import { openKeyring } from "./app/keyring.js";
import { createSeals } from "./app/recipients.js";
import { ensureRedis } from "./bootstrap/private-redis.js";
import type { Config } from "./config/settings.js";
import { PROVIDER_NAMES } from "./domain/answer.js";
import type { CardEngine } from "./domain/card-engine.js";
import type { OutcomeSeal } from "./domain/card-vault.js";
import type { CardbatchEvent, EventSink } from "./domain/events.js";
import { createEnginePool } from "./engine/pool.js";
import { createFileReader, type FileReader } from "./image/file-reader.js";
import { type Batches, createBatches } from "./queue/batches.js";
import { createImages, type Images } from "./queue/images.js";
import { Keys } from "./queue/keys.js";
import { createOutcomes, type Outcomes } from "./queue/outcomes.js";
import { openPresence, type Presence } from "./queue/presence.js";
import { createRecipients, type Recipients } from "./queue/recipients.js";
import { connectRedis, type Redis } from "./queue/redis.js";
import { type HealthReport, type RedisHealth, watchHealth } from "./queue/redis-health.js";
import { createReviews, type Reviews } from "./queue/reviews.js";
import { createLogger, type Logger, logEvent } from "./telemetry/logger.js";
import { createMetrics, type Metrics } from "./telemetry/metrics.js";
import { scrubLine } from "./vault/scrub.js";
import { createVault, type Vault } from "./vault/vault.js";

/** What the world around a process is like. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of package.json. */
  readonly packageRoot: string;
  readonly version: string;
  /** Takes finished log lines. */
  readonly writeLog: (line: string) => void;
  readonly prettyLog: boolean;
  readonly color: boolean;
  /** Tells a person what takes long or was decided. */
  readonly report: (message: string) => void;
}

/** What nearly every command needs, joined: Redis, the keyring, the queues, the log and the metrics. */
export interface App {
  readonly config: Config;
  readonly surroundings: Surroundings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly emit: EventSink;
  /** Adds a listener besides log and metrics. @returns takes it away */
  readonly onEvent: (listener: EventSink) => () => void;
  readonly redis: Redis;
  /** For people: which Redis this is. */
  readonly redisHow: string;
  readonly redisHealth: RedisHealth;
  readonly keys: Keys;
  readonly presence: Presence;
  readonly keyringPath: string;
  readonly vault: Vault;
  /** Public keys of destinations: `recipients.set(name, vault.recordRecipient(name, jwk))`. */
  readonly recipients: Recipients;
  /** How the outcomes of a destination are encrypted. @throws CardbatchError `recipient-refused` */
  readonly sealOf: (destination: string | null) => Promise<OutcomeSeal>;
  readonly batches: Batches;
  /** The embedded engine, started with its first picture; closed with the application. */
  readonly engine: () => CardEngine;
  readonly images: Images;
  readonly outcomes: Outcomes;
  readonly reviews: Reviews;
  readonly buckets: Buckets;
  readonly files: FileReader;
  /** Has something closed with the application at the latest. @returns closes it now, once */
  readonly defer: Closers["defer"];
  /** Closes what is open, last opened first. */
  close(): Promise<void>;
}

/** The log, the metrics, and how events come to them. */
function createTelemetry(config: Config, surroundings: Surroundings) {
  const metrics = createMetrics(surroundings.version, pricesOf(config));
  const logger = createLogger({
    level: config.logLevel,
    write: surroundings.writeLog,
    pretty: surroundings.prettyLog,
    color: surroundings.color,
    scrub: scrubLine,
    onScrubbed: (hits) => metrics.countScrubbed(hits),
  });
  const listeners = new Set<EventSink>([(event) => logEvent(logger, event), (event) => metrics.observe(event)]);
  if (config.killAt !== undefined) listeners.add(createFailpoint(config.killAt));
  const emit = (event: CardbatchEvent) => {
    for (const listener of listeners) listener(event);
  };
  const onEvent = (listener: EventSink) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { metrics, logger, emit, onEvent };
}

function pricesOf(config: Config) {
  return Object.fromEntries(PROVIDER_NAMES.map((name) => [name, config[name].price]));
}

/** Where a process keeps the keyring unless it is told. */
export function keyringPathOf(config: Config, env: Surroundings["env"]): string {
  return config.keyring ?? join(env.HOME ?? homedir(), ".config", "cardbatch", "keyring.json");
}

/** The folders of the private Redis: the project's own cache, or the user's when the project lies in a package folder. */
export function redisFolders(surroundings: Surroundings): { cacheFolder: string; dataFolder: string } {
  const base = cacheFolder(surroundings);
  return { cacheFolder: join(base, "redis"), dataFolder: join(base, "redis-data") };
}

/** Where this installation keeps what it needs again. */
export function cacheFolder({ packageRoot, env }: Surroundings): string {
  const isInstalled = packageRoot.split("/").includes("node_modules");
  const userCache = env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), ".cache");
  return isInstalled ? join(userCache, "cardbatch") : join(packageRoot, ".cache");
}

/**
 * Opens the application: finds or brings Redis, opens the keyring that belongs to it, and builds what the commands use.
 * @throws ConfigError when one of these cannot be had; nothing is left open then
 */
export async function openApp(config: Config, surroundings: Surroundings, signal: AbortSignal): Promise<App> {
  const telemetry = createTelemetry(config, surroundings);
  const { defer, close } = createClosers();
  try {
    const server = await ensureRedis(
      {
        ...redisFolders(surroundings),
        env: surroundings.env,
        redisUrl: config.redisUrl ?? null,
        allowSystemInstall: config.bootstrap === "system",
        report: surroundings.report,
      },
      signal,
    );
    defer(() => server.close());
    const keys = new Keys(config.prefix);
    const noteTrouble = (error: Error) => health.note(error);
    const connection = { url: server.url, name: `cardbatch-${process.pid}` };
    const redis = connectRedis({ ...connection, onError: noteTrouble, onRefusal: noteTrouble });
    defer(() => void redis.disconnect());
    const health = watchHealth(redis, keys.probe(), tellOfRedis(surroundings.report));
    defer(() => health.close());
    const keyringPath = keyringPathOf(config, surroundings.env);
    const keyring = await openKeyring(keyringPath, keyringRecord(redis, keys), server.kind === "private");
    const presence = await openPresence(redis, keys);
    defer(() => presence.close());
    const images = createImages(redis, keys);
    defer(() => images.close());
    const buckets = createBuckets(config);
    defer(() => buckets.close());
    const files = createFileReader();
    defer(() => files.close());
    const outcomes = createOutcomes(redis, keys, config.resultsBacklog);
    defer(() => outcomes.close());
    const vault = createVault(keyring);
    let engine: CardEngine | null = null;
    defer(() => engine?.close());
    const recipients = createRecipients(redis, keys);
    return {
      config,
      surroundings,
      ...telemetry,
      redis,
      redisHow: server.how,
      redisHealth: health,
      keys,
      presence,
      keyringPath,
      vault,
      recipients,
      sealOf: createSeals(recipients, vault),
      engine: () => {
        engine ??= createEnginePool();
        return engine;
      },
      batches: createBatches(redis, keys),
      images,
      outcomes,
      reviews: createReviews(redis, keys),
      buckets,
      files,
      defer,
      close,
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

function tellOfRedis(report: (message: string) => void): HealthReport {
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
  return {
    onTrouble: (what, forMs) =>
      report(
        `${what}${forMs < 1000 ? "" : `, for ${seconds(forMs)} now`}; waiting for it, and going on by itself then`,
      ),
    onBack: (afterMs) => report(`Redis is back after ${seconds(afterMs)}; going on`),
  };
}

function keyringRecord(redis: Redis, keys: Keys) {
  return {
    read: () => redis.get(keys.keyring()),
    claim: async (id: string) => {
      await redis.setnx(keys.keyring(), id);
      return (await redis.get(keys.keyring())) ?? id;
    },
  };
}
