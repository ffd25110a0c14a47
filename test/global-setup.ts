import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { prepareBuild } from "../scripts/prepare.mjs";
import { ensureRedis, stopPrivateRedis } from "../src/bootstrap/private-redis.js";

declare module "vitest" {
  interface ProvidedContext {
    /** One private Redis for the whole run: `inject("redisUrl")`. Tests share it; each uses names of its own. */
    redisUrl: string;
  }
}

/** A Redis with a new data folder for this run, brought as the application brings its own. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  await prepareBuild({ tolerant: true });
  const project = fileURLToPath(new URL("..", import.meta.url));
  const dataFolder = await mkdtemp(join(tmpdir(), "cardbatch-redis-"));
  const options = {
    redisUrl: null,
    env: process.env,
    cacheFolder: join(project, ".cache/redis"),
    dataFolder,
    keeperEntry: join(project, "dist/bootstrap/keeper.js"),
    report: (message: string) => console.error(message),
  };
  const redis = await ensureRedis(options, AbortSignal.timeout(120_000));
  provide("redisUrl", redis.url);
  return async () => {
    await redis.close();
    await stopPrivateRedis(dataFolder, AbortSignal.timeout(20_000));
    await rm(dataFolder, { recursive: true });
  };
}
