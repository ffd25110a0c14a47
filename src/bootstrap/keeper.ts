/**
 * The keeper of a private Redis: a small process of its own, `node keeper.js <data folder> <order>`.
 *
 * waiting:  until an earlier keeper of the folder is gone; ends when the order is out of date by then.
 * starting: runs the program that `server.json` names, tells the process that asked when the server answers → serving.
 * serving:  asks the server every second how many clients it has; nobody but the keeper for the grace → stopping.
 * stopping: takes the folder's lock, looks once more, shuts the server down, ends.
 *
 * A user arrives under the same lock and stays connected, so nobody is shut out half-way; a user who dies is
 * disconnected by the system. When the server ends by itself the keeper ends, too, and the users' processes start both
 * anew. When the keeper is killed, the system ends the server where it can (Linux), else the next starter does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { acquireLock } from "./file-lock.mjs";
import { processMark } from "./process-mark.mjs";
import { openRedis, type RedisConnection } from "./resp.js";
import { addressOf, keeperLockPath, lockPath, readState, type ServerState, writeState } from "./server-state.js";

const POLL_MS = 20;
const SERVING_POLL_MS = 1000;
/** How long an earlier keeper, or a server told to stop, may take. */
const PATIENCE_MS = 15_000;

const [dataFolder = "", order = ""] = process.argv.slice(2);
await keep(dataFolder, order);

async function keep(folder: string, order: string): Promise<void> {
  const releaseKeeper = await acquireLock(keeperLockPath(folder), { signal: AbortSignal.timeout(PATIENCE_MS) });
  const state = readState(folder);
  if (state?.order !== order) return; // somebody else was asked since
  const server = startServer(folder, state);
  const over = new AbortController();
  const ended = once(server, "exit").catch((error) => console.error(String(error)));
  ended.then(() => over.abort());
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => over.abort());
  writeState(folder, { ...state, keeper: processMark(process.pid), server: markOf(server) });

  tellStarter((await firstAnswer(state, over.signal)) ? "ready" : "failed");
  const release = await untilUnused(folder, state, over.signal);
  await shutDown(state, server);
  await ended;
  releaseKeeper();
  release?.();
}

function startServer(folder: string, { command: [program, ...args] }: ServerState): ChildProcess {
  const log = openSync(join(folder, "redis.log"), "w", 0o600);
  const server = spawn(program, args, { cwd: folder, stdio: ["ignore", log, log] });
  closeSync(log);
  return server;
}

function markOf({ pid }: ChildProcess): string | null {
  return pid === undefined ? null : processMark(pid);
}

/** A large ledger takes a while to load: the server refuses with LOADING until then. */
async function firstAnswer(state: ServerState, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    const connection = await openRedis(addressOf(state)).catch(() => null);
    connection?.close();
    if (connection !== null) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** The starter may be gone by now; then the grace runs all the same. */
function tellStarter(outcome: "ready" | "failed"): void {
  if (!process.connected) return;
  process.send?.(outcome, undefined, {}, () => process.connected && process.disconnect());
}

/** Returns holding the lock when nobody has used the server for the grace; without it when `over` came first. */
async function untilUnused(folder: string, state: ServerState, over: AbortSignal): Promise<(() => void) | null> {
  const count = createUserCount(state);
  const pollMs = Math.min(SERVING_POLL_MS, state.graceMs / 2);
  for (
    let usedAt = performance.now();
    !over.aborted;
    await sleep(pollMs, undefined, { signal: over }).catch(() => {})
  ) {
    if ((await count()) > 0) usedAt = performance.now();
    if (performance.now() - usedAt < state.graceMs) continue;
    if (!existsSync(folder)) return () => {}; // removed meanwhile: nobody can come any more
    const release = await acquireLock(lockPath(folder), { signal: over }).catch(() => null);
    if (release !== null && (await count()) === 0) return release;
    release?.();
    usedAt = performance.now();
  }
  return null;
}

/** Clients besides this process. A server that does not answer is busy, so it counts as used. */
function createUserCount(state: ServerState): () => Promise<number> {
  let connection: RedisConnection | null = null;
  return async () => {
    try {
      connection ??= await openRedis(addressOf(state));
      const info = await connection.command("INFO", "clients");
      return Number(/^connected_clients:(\d+)/m.exec(info)?.[1]) - 1;
    } catch {
      connection?.close();
      connection = null;
      return 1;
    }
  };
}

/** SHUTDOWN writes the append-only file out; a server that does not follow is ended as any process is. */
async function shutDown(state: ServerState, server: ChildProcess): Promise<void> {
  if (hasEnded(server)) return;
  const connection = await openRedis(addressOf(state)).catch(() => null);
  await connection?.command("SHUTDOWN").catch(() => {}); // it answers by closing
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const deadline = performance.now() + PATIENCE_MS;
    while (connection !== null && !hasEnded(server) && performance.now() < deadline) await sleep(POLL_MS);
    if (hasEnded(server)) return;
    server.kill(signal);
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}
