/**
 * A Redis for everybody who asks: the one that `REDIS_URL` names, else a private one.
 *
 * The private server belongs to a data folder and is shared by all processes of it. Each of them, under the folder's lock,
 * joins the one that runs or has it started by a keeper (`keeper.ts`), and holds a connection for as long as it lives:
 * that is how the keeper sees that the last user is gone. When the connection breaks, the server is gone, and whoever
 * notices first starts it again in the same place.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../domain/errors.js";
import { acquireLock } from "./file-lock.mjs";
import { type FindServerOptions, findServer } from "./find-server.js";
import { checkGivenRedis } from "./given-redis.js";
import { type LaunchOptions, launchServer } from "./launch.js";
import { isRunning, pidOf } from "./process-mark.mjs";
import { openRedis, type RedisConnection, RespError } from "./resp.js";
import { addressOf, lockPath, readState, type ServerState, urlOf } from "./server-state.js";

/** What `ensureRedis` works with; everything from the outside is in here. */
export interface RedisOptions extends Pick<FindServerOptions, "env" | "cacheFolder" | "report"> {
  /** `REDIS_URL`. */
  readonly redisUrl: string | null;
  /** Where the private server keeps its data; one server a folder. */
  readonly dataFolder: string;
  /** `CARDBATCH_BOOTSTRAP=system`: the system's package manager may be used with sudo. @default false */
  readonly allowSystemInstall?: boolean;
  /** @default this machine's */
  readonly platform?: NodeJS.Platform;
  /** @default this process's */
  readonly uid?: number | null;
  /** The compiled keeper, for callers that run from source. @default keeper.js beside this file */
  readonly keeperEntry?: string;
  /** How long a server waits for its next user. @unit milliseconds @default 3000 */
  readonly graceMs?: number;
  /** Directives of redis.conf on top of the defaults. @default none */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EnsuredRedis {
  /** With the password, where there is one: for clients, not for people. */
  readonly url: string;
  readonly kind: "given" | "private";
  /** For people: what it is and where it comes from. */
  readonly how: string;
  /** Null when it is not ours. */
  readonly dataFolder: string | null;
  /** Gives the private server up; it ends when its other users have, too. */
  close(): Promise<void>;
}

const GRACE_MS = 3000;
const PATIENCE_MS = 15_000;
const POLL_MS = 30;
const RECOVERY_MS = 5000;
const ATTEMPTS = 3;
const ORDER_MS = 1000;

/**
 * Has a Redis ready: pings the given one, or joins or starts the private one.
 * @throws ConfigError when the given one does not answer, or none could be brought; it says what was tried and what to type
 */
export async function ensureRedis(options: RedisOptions, signal: AbortSignal): Promise<EnsuredRedis> {
  const { redisUrl, dataFolder } = options;
  if (redisUrl !== null) {
    const how = await checkGivenRedis(redisUrl, signal);
    return { url: redisUrl, kind: "given", how, dataFolder: null, close: async () => {} };
  }
  const { state, connection } = await joinServer(options, signal);
  const membership = holdOn(state, connection, options);
  const how = `private ${state.version}, ${state.how}`;
  return { url: urlOf(state), kind: "private", how, dataFolder, close: async () => membership.close() };
}

/** Ends the private server of a data folder at once, whoever uses it; waits until it is gone. */
export async function stopPrivateRedis(dataFolder: string, signal: AbortSignal): Promise<void> {
  const state = readState(dataFolder);
  if (state?.keeper && isRunning(state.keeper)) process.kill(pidOf(state.keeper), "SIGTERM");
  while ([state?.keeper, state?.server].some((mark) => mark && isRunning(mark))) {
    await sleep(POLL_MS, undefined, { signal });
  }
}

interface Joined {
  readonly state: ServerState;
  readonly connection: RedisConnection;
}

async function joinServer(options: RedisOptions, signal: AbortSignal): Promise<Joined> {
  const { cacheFolder, dataFolder, report } = options;
  for (const folder of [cacheFolder, dataFolder]) makeFolder(folder);
  const release = await acquireLock(lockPath(dataFolder), {
    signal,
    onWait: (pid) => report(`waiting for process ${pid}, which is starting the private Redis …`),
  });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const joined = await joinRunning(dataFolder, signal);
      if (joined !== null) return joined;
      await launchServer(await findServer(resolveFind(options), signal), resolveLaunch(options), signal);
    }
    throw new ConfigError(
      `the private Redis in ${dataFolder} was started ${ATTEMPTS} times and ended at once each time`,
    );
  } finally {
    release();
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError(`no private Redis without ${folder} (${code}); make it writable, or set REDIS_URL`);
  }
}

/** A server counts when its program and its keeper run and it knows the password: a stranger on its port never does. */
async function joinRunning(dataFolder: string, signal: AbortSignal): Promise<Joined | null> {
  let lastSign = performance.now();
  for (;;) {
    const state = readState(dataFolder);
    const silentMs = performance.now() - lastSign;
    if (state === null || !isExpected(state, silentMs)) return null;
    if (silentMs > PATIENCE_MS) {
      const pids = [state.server, state.keeper].map((mark) => pidOf(mark ?? "")).join(" ");
      throw new ConfigError(
        `the private Redis does not answer; end it and its keeper, then try again: kill -9 ${pids}`,
      );
    }
    try {
      if (state.server !== null) return { state, connection: await openRedis(addressOf(state)) };
    } catch (error) {
      if (error instanceof RespError && error.code === "LOADING") lastSign = performance.now();
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Whether it runs, or may: who gave the order can have been killed before its keeper took it up. */
function isExpected({ keeper, server }: ServerState, silentMs: number): boolean {
  if (keeper === null || server === null) return silentMs < ORDER_MS;
  return isRunning(keeper) && isRunning(server);
}

/** Keeps a connection open for as long as this process lives, without keeping the process alive. */
function holdOn(state: ServerState, connection: RedisConnection, options: RedisOptions): { close(): void } {
  const closed = new AbortController();
  let held = connection;
  const hold = () => {
    held.unref();
    held.onClose(() => closed.signal.aborted || void recover());
  };
  const recover = async () => {
    options.report("the private Redis is gone; starting it again …");
    while (!closed.signal.aborted) {
      try {
        const joined = await joinServer(options, closed.signal);
        held = joined.connection;
        if (closed.signal.aborted) return held.close();
        if (urlOf(joined.state) !== urlOf(state))
          options.report("the private Redis came back at another address; run the command again");
        return hold();
      } catch (error) {
        if (closed.signal.aborted) return;
        options.report(error instanceof Error ? error.message : String(error));
        await sleep(RECOVERY_MS, undefined, { ref: false, signal: closed.signal }).catch(() => {});
      }
    }
  };
  hold();
  return {
    close: () => {
      closed.abort();
      held.close();
    },
  };
}

function resolveFind(options: RedisOptions): FindServerOptions {
  const { env, cacheFolder, report, platform = process.platform, allowSystemInstall = false } = options;
  const uid = options.uid === undefined ? (process.getuid?.() ?? null) : options.uid;
  return { env, cacheFolder, report, platform, allowSystemInstall, uid };
}

function resolveLaunch(options: RedisOptions): LaunchOptions {
  const { env, dataFolder, report, graceMs = GRACE_MS, settings = {} } = options;
  const keeperEntry = options.keeperEntry ?? fileURLToPath(new URL("./keeper.js", import.meta.url));
  return { env, dataFolder, report, keeperEntry, graceMs, settings };
}
