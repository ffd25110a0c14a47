import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { ConfigError } from "../domain/errors.js";
import { repairAppendOnlyFile } from "./aof-repair.js";
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
const LOGS = ["redis.log", "keeper.log"];

/**
 * Has a keeper start the server, on the port and with the password of the folder's last one if that port is free.
 * Must run under the data folder's lock.
 * @throws ConfigError when the server does not come up; it quotes the server's last words
 */
export async function launchServer(
  server: RedisServer,
  options: LaunchOptions,
  signal: AbortSignal,
): Promise<ServerState> {
  const { dataFolder, keeperEntry, report } = options;
  if (!existsSync(keeperEntry)) throw new Error(`${keeperEntry} is not there; npm run build`);
  for (let attempt = 1; ; attempt += 1) {
    const state = await writeOrder(server, options, signal);
    if (await startKeeper(state.order, options, signal)) return state;
    const words = lastWords(dataFolder);
    const cutBytes = await repairAppendOnlyFile(server, options, signal);
    if (cutBytes !== null)
      report(`the private Redis' file had a damaged end, as after a power cut: ${cutBytes} bytes cut`);
    const worthRetrying = cutBytes !== null || /address already in use|newer order/i.test(words);
    if (attempt === ATTEMPTS || !worthRetrying) {
      throw new ConfigError(
        `the private Redis (${server.version}, ${server.how}) did not start in ${dataFolder}:\n${words}`,
      );
    }
  }
}

async function writeOrder(server: RedisServer, options: LaunchOptions, signal: AbortSignal): Promise<ServerState> {
  const { dataFolder, env, graceMs, settings } = options;
  const run = { env, signal, timeoutMs: COMMAND_TIMEOUT_MS };
  if (server.inContainer) await runProgram("docker", ["rm", "-f", containerName(dataFolder)], run);
  const previous = readState(dataFolder);
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
    server: previous?.server ?? null,
  };
  chmodSync(dataFolder, 0o700);
  for (const log of LOGS) rmSync(join(dataFolder, log), { force: true });
  const config = serverConfig({ ...serverPlace(server, port, dataFolder), password, settings });
  writeFileSync(join(dataFolder, "redis.conf"), config, { mode: 0o600 });
  writeState(dataFolder, state);
  return state;
}

/** The last server's, so that its users find the new one; another password where a stranger listens on that port now. */
async function chooseAddress(previous: ServerState | null): Promise<{ port: number; password: string }> {
  if (previous !== null && (await listenOnce(previous.port)) !== null) return previous;
  const port = await listenOnce(0);
  if (port === null) throw new ConfigError("no port is free on 127.0.0.1");
  return { port, password: randomBytes(24).toString("base64url") };
}

/** The port, if it could be listened on just now; 0 asks for any. */
async function listenOnce(port: number): Promise<number | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(null));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve(bound));
    });
  });
}

/** Starts the keeper in a session of its own, where no Ctrl-C reaches it, and waits until its server answers. */
async function startKeeper(order: string, options: LaunchOptions, signal: AbortSignal): Promise<boolean> {
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
    return await outcome(keeper, signal);
  } catch (error) {
    keeper.kill("SIGTERM");
    throw error;
  } finally {
    if (keeper.connected) keeper.disconnect();
  }
}

async function outcome(keeper: ChildProcess, signal: AbortSignal): Promise<boolean> {
  const first = new AbortController();
  const options = { signal: AbortSignal.any([signal, first.signal]) };
  try {
    const [told] = await Promise.race([once(keeper, "message", options), once(keeper, "exit", options)]);
    return told === "ready";
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
