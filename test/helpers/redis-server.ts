import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findServer } from "../../src/bootstrap/find-server.js";
import { serverCommand } from "../../src/bootstrap/server-command.js";
import { serverConfig } from "../../src/bootstrap/server-config.js";
import { connectRedis, type Redis } from "../../src/queue/redis.js";
import { freePort } from "./free-port.js";

const CACHE = fileURLToPath(new URL("../../.cache/redis", import.meta.url));

/** A Redis of a test's own, to be killed and started again: same port, same data. */
export interface RedisServer {
  readonly url: string;
  /** Of this test's own, apart from those of the processes under test. */
  readonly redis: Redis;
  readonly pid: () => number;
  start(): Promise<void>;
  /** Ends the server, and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

/** @param settings directives on top of those of the private Redis */
export async function startRedisServer(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-own-redis-"));
  const port = await freePort();
  const password = "of-a-test";
  const found = await findServer(
    { env: process.env, platform: process.platform, uid: null, allowSystemInstall: false, cacheFolder: CACHE, report },
    AbortSignal.timeout(60_000),
  );
  const config = serverConfig({ bind: "127.0.0.1", port, password, dataFolder: folder, settings });
  writeFileSync(join(folder, "redis.conf"), config);
  const [program, ...args] = serverCommand(found, { port, dataFolder: folder, canTie: false, owner: "" });
  const url = `redis://:${password}@127.0.0.1:${port}`;
  let child: ChildProcess | null = null;

  const start = async () => {
    child = spawn(program, args, { cwd: folder, stdio: "ignore" });
    await redis.ping();
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  const redis = connectRedis({ url, name: "test-of-faults", onError: () => {} });
  await start();
  return {
    url,
    redis,
    pid: () => child?.pid ?? 0,
    start,
    kill,
    close: async () => {
      redis.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function report(message: string): void {
  console.error(message);
}
