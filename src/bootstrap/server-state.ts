import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RedisAddress } from "./resp.js";

/**
 * What processes tell each other about the private server of a data folder, in its `server.json`. Who starts a server
 * writes it as an order, under the folder's lock; the keeper that carries the order out adds the marks. Never removed:
 * whether the server is there is seen by the marks, and the next one takes over port and password, so that a process
 * which lost its server finds the new one where the old one was.
 */
export interface ServerState {
  /** Tells this order from others; the keeper was given the same. */
  readonly order: string;
  readonly port: number;
  /** Keeps other users of the machine out; readable by the owner alone, here and in redis.conf. */
  readonly password: string;
  /** The program with all its arguments, as the keeper runs it. */
  readonly command: readonly [string, ...string[]];
  readonly version: string;
  readonly how: string;
  /** How long the server waits for its next user. @unit milliseconds */
  readonly graceMs: number;
  /** `processMark` of the keeper and of the server's program; null until the order is carried out. */
  readonly keeper: string | null;
  readonly server: string | null;
}

const LOOPBACK = "127.0.0.1";

/** The state of a data folder; null when it never had a server, or the file is damaged. */
export function readState(dataFolder: string): ServerState | null {
  try {
    const state: unknown = JSON.parse(readFileSync(join(dataFolder, "server.json"), "utf8"));
    return isState(state) ? state : null;
  } catch {
    return null;
  }
}

/** Whole or not at all, whoever reads meanwhile. */
export function writeState(dataFolder: string, state: ServerState): void {
  const file = join(dataFolder, "server.json");
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
}

export function addressOf({ port, password }: ServerState): RedisAddress {
  return { host: LOOPBACK, port, password };
}

export function urlOf({ port, password }: ServerState): string {
  return `redis://:${password}@${LOOPBACK}:${port}`;
}

/** Held by everybody who starts, joins or stops the server of a data folder, meanwhile. */
export function lockPath(dataFolder: string): string {
  return join(dataFolder, "lock");
}

/** Held by the keeper as long as it lives: a data folder never has two, so never two servers that write to it. */
export function keeperLockPath(dataFolder: string): string {
  return join(dataFolder, "keeper");
}

function isState(value: unknown): value is ServerState {
  if (typeof value !== "object" || value === null) return false;
  const state = value as Partial<Record<keyof ServerState, unknown>>;
  return (
    Number.isInteger(state.port) &&
    [state.order, state.password, state.version, state.how].every((text) => typeof text === "string") &&
    typeof state.graceMs === "number" &&
    Array.isArray(state.command) &&
    [state.keeper, state.server].every((mark) => mark === null || typeof mark === "string")
  );
}
