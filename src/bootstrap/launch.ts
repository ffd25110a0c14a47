import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../domain/errors.js";
import { repairAppendOnlyFile } from "./aof-repair.js";
import { isRunning, pidOf } from "./process-mark.mjs";
import { type Environment, runProgram } from "./programs.js";
import { containerName, serverCommand, serverPlace } from "./server-command.js";
import { serverConfig } from "./server-config.js";
import type { RedisServer } from "./server-program.js";
import { readState, type ServerState, writeState } from "./server-state.js";

/** How a private server is started. */
export interface LaunchOptions {
  readonly env: Environment;
  /** Where the server's data and files are. */
  readonly dataFolder: string;
  /** The compiled keeper. */
  readonly keeperEntry: string;
  /** How long the server waits for its next user. @unit milliseconds */
  readonly graceMs: number;
  /** Directives of redis.conf on top of the defaults. */
  readonly settings: Readonly<Record<string, string>>;
  readonly report: (message: string) => void;
}

const ATTEMPTS = 4;
const COMMAND_TIMEOUT_MS = 20_000;
const SHUTDOWN_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
/** Below the ports that systems give to outgoing connections: one of those could take a server's place while it is away. */
const PORTS = [20_000, 32_000] as const;
const PORT_ATTEMPTS = 50;
const LOGS = ["redis.log", "keeper.log"];

/**
 * Has a keeper start the server, on the port and with the password of the folder's last one if that port is free.
 * Must run under the data folder's lock.
 * @throws ConfigError when the server does not come up; it quotes the server's last words
 */
export async function launchServer(server: RedisServer, options: LaunchOptions, signal: AbortSignal): Promise<void> {
  const { dataFolder, keeperEntry, report } = options;
  if (!existsSync(keeperEntry)) throw new Error(`${keeperEntry} is not there; npm run build`);
  for (let attempt = 1; ; attempt += 1) {
    const order = await writeOrder(server, options, signal);
    const outcome = await startKeeper(order, options, signal);
    if (outcome === "ready") return;
    const words = lastWords(dataFolder);
    const cutBytes = await repairAppendOnlyFile(server, options, signal);
    if (cutBytes !== null)
      report(`the private Redis' file had a damaged end, as after a power cut: ${cutBytes} bytes cut`);
    const worthRetrying = cutBytes !== null || outcome === "keeper-ended" || /address already in use/i.test(words);
    if (attempt === ATTEMPTS || !worthRetrying) {
      throw new ConfigError(
        `the private Redis (${server.version}, ${server.how}) did not start in ${dataFolder}:\n${words}`,
      );
    }
  }
}

async function writeOrder(server: RedisServer, options: LaunchOptions, signal: AbortSignal): Promise<string> {
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
  for (const log of LOGS) rmSync(join(dataFolder, log), { force: true });
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

type Outcome = "ready" | "failed" | "keeper-ended";

/** Starts the keeper in a session of its own, where no Ctrl-C reaches it, and waits until its server answers. */
async function startKeeper(order: string, options: LaunchOptions, signal: AbortSignal): Promise<Outcome> {
  const { dataFolder, keeperEntry, env } = options;
  const log = openSync(join(dataFolder, "keeper.log"), "w", 0o600);
  const keeper = spawn(process.execPath, [keeperEntry, dataFolder, order], {
    cwd: dataFolder,
    detached: true,
    env: keeperEnvironment(env),
    stdio: ["ignore", "ignore", log, "ipc"],
  });
  closeSync(log);
  keeper.unref();
  try {
    return await outcomeOf(keeper, signal);
  } catch (error) {
    keeper.kill("SIGTERM");
    throw error;
  } finally {
    if (keeper.connected) keeper.disconnect();
  }
}

async function outcomeOf(keeper: ChildProcess, signal: AbortSignal): Promise<Outcome> {
  const first = new AbortController();
  const options = { signal: AbortSignal.any([signal, first.signal]) };
  try {
    const [told] = await Promise.race([once(keeper, "message", options), once(keeper, "exit", options)]);
    return told === "ready" || told === "failed" ? told : "keeper-ended";
  } finally {
    signal.throwIfAborted();
    first.abort();
  }
}

/** What programs need to be found and docker to be reached; none of the application's secrets. */
function keeperEnvironment(env: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => /^(PATH|HOME|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|DOCKER_\w+)$/.test(name)),
  );
}

function lastWords(dataFolder: string): string {
  return LOGS.flatMap((name) => {
    const file = join(dataFolder, name);
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-4) : [];
  })
    .filter((line) => line !== "")
    .map((line) => `  ${line}`)
    .join("\n");
}
