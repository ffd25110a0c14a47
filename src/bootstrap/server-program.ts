import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Environment, findProgram, runProgram } from "./programs.js";

/** A Redis or Valkey server that is ready to be started. */
export interface RedisServer {
  /** The program; of a server in a container, docker and the image. */
  readonly command: readonly [string, ...string[]];
  /** Where its shared libraries are, when not in the system's places. */
  readonly libraryPath: string | null;
  /** Such as `redis 7.0.15`. */
  readonly version: string;
  /** For people: where it comes from. */
  readonly how: string;
  /** Runs in a container, with an address and paths of its own. */
  readonly inContainer: boolean;
}

/** A route that did not lead to a Redis, and why. */
export class RouteFailure {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const SERVER_NAMES = ["redis-server", "valkey-server"];
/** The server under its other name: one program, which takes its role from the name it is called by. */
const CHECKER_NAMES = ["redis-check-rdb", "valkey-check-rdb"];
const OLDEST_MAJOR = 6;
const TIMEOUT_MS = 20_000;

interface FindOptions {
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Where a link may be made. */
  readonly linkFolder: string;
  readonly libraryPath: string | null;
  readonly how: string;
}

/**
 * The server in the folders of `path`, proved to run. Debian's redis-tools has it as `redis-check-rdb` only; a link gives
 * it the server's name.
 */
export async function findServerIn(
  path: string | undefined,
  options: FindOptions,
): Promise<RedisServer | RouteFailure> {
  let failure = new RouteFailure(`no ${SERVER_NAMES.join(" or ")}`);
  for (const name of [...SERVER_NAMES, ...CHECKER_NAMES]) {
    const found = findProgram(name, path);
    if (found === null) continue;
    const program = SERVER_NAMES.includes(name) ? found : linkAsServer(found, options.linkFolder);
    const server = await proveServer(program, options);
    if (!(server instanceof RouteFailure)) return server;
    failure = server;
  }
  return failure;
}

/** Runs `--version`: that shows missing libraries, a foreign architecture and a file system without execution, too. */
async function proveServer(program: string, options: FindOptions): Promise<RedisServer | RouteFailure> {
  const { libraryPath, how, signal } = options;
  const env = libraryPath === null ? options.env : { ...options.env, LD_LIBRARY_PATH: libraryPath };
  const result = await runProgram(program, ["--version"], { env, signal, timeoutMs: TIMEOUT_MS });
  if (!result.ok) return new RouteFailure(`${program} does not run: ${result.problem}`);
  const version = serverVersion(result.stdout);
  if (version === null) return new RouteFailure(`${program} is no Redis of version ${OLDEST_MAJOR} or later`);
  return { command: [program], libraryPath, version, how, inContainer: false };
}

/** `redis 7.0.15` out of what a server says with `--version`; null when it is none, or too old for the queue. */
export function serverVersion(text: string): string | null {
  const [, name, version] = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/m.exec(text) ?? [];
  if (name === undefined || version === undefined || Number.parseInt(version, 10) < OLDEST_MAJOR) return null;
  return `${name.toLowerCase()} ${version}`;
}

function linkAsServer(program: string, folder: string): string {
  const link = join(folder, "redis-server");
  mkdirSync(folder, { recursive: true });
  if (existsSync(link) && readlinkSync(link) === program) return link;
  rmSync(link, { force: true });
  symlinkSync(program, link);
  return link;
}
