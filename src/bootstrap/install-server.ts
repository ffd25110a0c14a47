import { type Environment, findProgram, runProgram } from "./programs.js";
import type { PackageManager } from "./routes.js";
import { findServerIn, type RedisServer, RouteFailure, serverVersion } from "./server-program.js";

/** What the routes that install something work with. */
export interface InstallOptions {
  readonly env: Environment;
  readonly isRoot: boolean;
  readonly linkFolder: string;
  readonly report: (message: string) => void;
}

const TIMEOUT_MS = 600_000;
const DOCKER_INFO_TIMEOUT_MS = 10_000;
const DOCKER_IMAGE = "redis:7-alpine";

/** redis-tools, not redis-server: it has the same program and starts no system service on port 6379. */
const SYSTEM_COMMANDS: Readonly<Record<PackageManager, readonly string[]>> = {
  "apt-get": ["apt-get -q update", "apt-get -q install -y --no-install-recommends redis-tools"],
  dnf: ["dnf install -y redis"],
  apk: ["apk add redis"],
};

/** Installs with the system's package manager: as root, or through sudo, which may ask for a password. */
export async function installWithSystem(
  manager: PackageManager,
  options: InstallOptions,
  signal: AbortSignal,
): Promise<RedisServer | RouteFailure> {
  const env = { ...options.env, DEBIAN_FRONTEND: "noninteractive" };
  let problem = "";
  for (const line of SYSTEM_COMMANDS[manager]) {
    const command = options.isRoot ? line : `sudo ${line}`;
    options.report(`installing a Redis: ${command} …`);
    const [program = "", ...args] = command.split(" ");
    problem = (await runProgram(program, args, { env, signal, timeoutMs: TIMEOUT_MS })).problem;
  }
  const { linkFolder } = options;
  const how = `installed with ${manager}`;
  const server = await findServerIn(options.env.PATH, { env: options.env, signal, linkFolder, libraryPath: null, how });
  return server instanceof RouteFailure ? new RouteFailure(problem || server.reason) : server;
}

/** Homebrew installs into its own folder and starts no service by itself. */
export async function installWithBrew(
  options: InstallOptions,
  signal: AbortSignal,
): Promise<RedisServer | RouteFailure> {
  options.report("installing a Redis: brew install redis …");
  const { env, linkFolder } = options;
  const brew = findProgram("brew", env.PATH) ?? "brew";
  const run = { env: { ...env, HOMEBREW_NO_AUTO_UPDATE: "1" }, signal, timeoutMs: TIMEOUT_MS };
  const installed = await runProgram(brew, ["install", "-q", "redis"], run);
  if (!installed.ok) return new RouteFailure(installed.problem);
  const prefix = (await runProgram(brew, ["--prefix"], run)).stdout.trim();
  return findServerIn(`${prefix}/bin`, { env, signal, linkFolder, libraryPath: null, how: "installed with brew" });
}

/** A server in a container, where a docker daemon answers. The configuration folder is mounted as `/data`. */
export async function useDocker(options: InstallOptions, signal: AbortSignal): Promise<RedisServer | RouteFailure> {
  const { env, report } = options;
  const run = (timeoutMs: number, ...args: string[]) => runProgram("docker", args, { env, signal, timeoutMs });
  const daemon = await run(DOCKER_INFO_TIMEOUT_MS, "info");
  if (!daemon.ok) return new RouteFailure(`docker info: ${daemon.problem}`);
  report(`fetching ${DOCKER_IMAGE} with docker …`);
  const asked = await run(TIMEOUT_MS, "run", "--rm", DOCKER_IMAGE, "redis-server", "--version");
  const version = serverVersion(asked.stdout);
  if (version === null) return new RouteFailure(`docker run ${DOCKER_IMAGE}: ${asked.problem || "no Redis in it"}`);
  return { command: ["docker", DOCKER_IMAGE], libraryPath: null, version, how: "run with docker", inContainer: true };
}
