import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../domain/errors.js";
import { isRunning, pidOf } from "./process-mark.mjs";
import { type Environment, runProgram } from "./programs.js";
import { containerName, serverCommand, serverPlace } from "./server-command.js";
import { serverConfig } from "./server-config.js";
import type { RedisServer } from "./server-program.js";
import { readState, type ServerState, writeState } from "./server-state.js";

export interface OrderOptions {
  readonly env: Environment;
  /** Where the server's data and files are. */
  readonly dataFolder: string;
  /** How long the server waits for its next user. @unit milliseconds */
  readonly graceMs: number;
  /** Directives of redis.conf on top of the defaults. */
  readonly settings: Readonly<Record<string, string>>;
}

const COMMAND_TIMEOUT_MS = 20_000;
const SHUTDOWN_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
/** Below the ports that systems give to outgoing connections: one of those could take a server's place while it is away. */
const PORTS = [20_000, 32_000] as const;
const PORT_ATTEMPTS = 50;

/**
 * Writes down what a keeper is to do: redis.conf and `server.json`. A server of the folder whose keeper was killed is
 * ended first.
 * @returns the order's name, for the keeper
 * @throws ConfigError when no port is free
 */
export async function writeOrder(server: RedisServer, options: OrderOptions, signal: AbortSignal): Promise<string> {
  const { dataFolder, env, graceMs, settings } = options;
  const run = { env, signal, timeoutMs: COMMAND_TIMEOUT_MS };
  if (server.inContainer) await runProgram("docker", ["rm", "-f", containerName(dataFolder)], run);
  const previous = readState(dataFolder);
  await endServer(previous?.server ?? null, signal);
  const { port, password } = await chooseAddress(previous);
  const owner = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const canTie = (await runProgram("setpriv", ["--pdeathsig", "TERM", "true"], run)).ok;
  const state: ServerState = {
    order: randomUUID(),
    port,
    password,
    command: serverCommand(server, { port, dataFolder, canTie, owner }),
    version: server.version,
    how: server.how,
    graceMs,
    keeper: null,
    server: null,
  };
  chmodSync(dataFolder, 0o700);
  const config = serverConfig({ ...serverPlace(server, port, dataFolder), password, settings });
  writeFileSync(join(dataFolder, "redis.conf"), config, { mode: 0o600 });
  writeState(dataFolder, state);
  return state.order;
}

/** One whose keeper was killed. Its data is on the disk: every write was, before it was acknowledged. */
async function endServer(mark: string | null, signal: AbortSignal): Promise<void> {
  for (const kill of ["SIGTERM", "SIGKILL"]) {
    if (mark === null || !isRunning(mark)) return;
    process.kill(pidOf(mark), kill);
    const deadline = performance.now() + SHUTDOWN_TIMEOUT_MS;
    while (isRunning(mark) && performance.now() < deadline) await sleep(POLL_MS, undefined, { signal });
  }
}

/** The last server's, so that its users find the new one; another password where a stranger listens on that port now. */
async function chooseAddress(previous: ServerState | null): Promise<{ port: number; password: string }> {
  if (previous !== null && (await isFree(previous.port))) return previous;
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt += 1) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return { port, password: randomBytes(24).toString("base64url") };
  }
  throw new ConfigError(`no port is free on 127.0.0.1: ${PORT_ATTEMPTS} were tried between ${PORTS.join(" and ")}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
