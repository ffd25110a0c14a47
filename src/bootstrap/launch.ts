import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../domain/errors.js";
import { repairAppendOnlyFile } from "./aof-repair.js";
import { type OrderOptions, writeOrder } from "./order.js";
import type { Environment } from "./programs.js";
import type { RedisServer } from "./server-program.js";

/** How a private server is started. */
export interface LaunchOptions extends OrderOptions {
  /** The compiled keeper. */
  readonly keeperEntry: string;
  readonly report: (message: string) => void;
}

/** The port can be taken in the last moment, the file be in need of repair, a process be killed. */
const ATTEMPTS = 3;
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
    for (const log of LOGS) rmSync(join(dataFolder, log), { force: true });
    const order = await writeOrder(server, options, signal);
    if (await startKeeper(order, options, signal)) return;
    const words = lastWords(dataFolder);
    const cutBytes = await repairAppendOnlyFile(server, options, signal);
    if (cutBytes !== null) report(`the private Redis' file had a damaged end, as after a power cut: ${cutBytes} B cut`);
    if (attempt === ATTEMPTS) {
      throw new ConfigError(
        `the private Redis (${server.version}, ${server.how}) did not start in ${dataFolder}:\n${words}`,
      );
    }
  }
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
    return await hasAnswered(keeper, signal);
  } catch (error) {
    keeper.kill("SIGTERM");
    throw error;
  } finally {
    if (keeper.connected) keeper.disconnect();
  }
}

async function hasAnswered(keeper: ChildProcess, signal: AbortSignal): Promise<boolean> {
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
