import { existsSync } from "node:fs";
import { keyringPathOf, redisFolders, type Surroundings } from "../app.js";
import { ensureRedis } from "../bootstrap/private-redis.js";
import type { Config } from "../config/settings.js";
import { createFileReader, type FileReader } from "../image/file-reader.js";
import { type Batches, createBatches } from "../queue/batches.js";
import { Keys } from "../queue/keys.js";
import { connectRedis, type Redis } from "../queue/redis.js";
import { loadKeyring } from "../vault/keyring-file.js";
import { createVault, type Vault } from "../vault/vault.js";
import { type Buckets, createBuckets } from "./buckets.js";

/** What commands need that look and change nothing: no presence, no queue's settings, no keyring made. */
export interface Reader {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: Keys;
  /** Only to look. */
  readonly batches: Batches;
  /** Null: there is no keyring here, and what is encrypted stays so. */
  readonly vault: Vault | null;
  readonly buckets: Buckets;
  readonly files: FileReader;
  close(): Promise<void>;
}

/** @throws ConfigError when Redis cannot be had */
export async function openReader(config: Config, surroundings: Surroundings, signal: AbortSignal): Promise<Reader> {
  const { env, report } = surroundings;
  const allowSystemInstall = config.bootstrap === "system";
  const options = { ...redisFolders(surroundings), env, redisUrl: config.redisUrl ?? null, allowSystemInstall, report };
  const server = await ensureRedis(options, signal);
  try {
    const path = keyringPathOf(config, env);
    const vault = existsSync(path) ? createVault(await loadKeyring(path)) : null;
    const redis = connectRedis({ url: server.url, name: `cardbatch-reader-${process.pid}`, onError: () => {} });
    const keys = new Keys(config.prefix);
    const buckets = createBuckets(config);
    const files = createFileReader();
    return {
      config,
      redis,
      keys,
      batches: createBatches(redis, keys),
      vault,
      buckets,
      files,
      close: async () => {
        await files.close();
        await buckets.close();
        redis.disconnect();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
