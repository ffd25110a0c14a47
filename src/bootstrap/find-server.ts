import { join } from "node:path";
import { ConfigError } from "../domain/errors.js";
import { downloadWithApt } from "./apt-download.js";
import { acquireLock } from "./file-lock.mjs";
import { installWithBrew, installWithSystem, useDocker } from "./install-server.js";
import { type Environment, findProgram } from "./programs.js";
import { lineToType, type Machine, packageManager, planRoutes, type Route } from "./routes.js";
import { findServerIn, type RedisServer, RouteFailure } from "./server-program.js";

/** What the search depends on. */
export interface FindServerOptions {
  /** PATH, and what package managers take from the environment (proxies, HOME). */
  readonly env: Environment;
  readonly platform: NodeJS.Platform;
  /** Null where the platform has none. */
  readonly uid: number | null;
  /** `CARDBATCH_BOOTSTRAP=system`: the system's package manager may be used with sudo. */
  readonly allowSystemInstall: boolean;
  /** Where downloads go, and are found again; it exists. */
  readonly cacheFolder: string;
  readonly report: (message: string) => void;
}

/**
 * A Redis or Valkey server's program: one that is there, else one that is brought, by the first route that works.
 * @throws ConfigError that lists what was tried and names the one line to type
 */
export async function findServer(options: FindServerOptions, signal: AbortSignal): Promise<RedisServer> {
  const machine = machineOf(options);
  const release = await acquireLock(join(options.cacheFolder, "lock"), {
    signal,
    onWait: (pid) => options.report(`waiting for process ${pid}, which is bringing a Redis …`),
  });
  try {
    const tried: string[] = [];
    for (const { route, leftOut } of planRoutes(machine)) {
      const outcome = leftOut === null ? await tryRoute(route, machine, options, signal) : new RouteFailure(leftOut);
      if (!(outcome instanceof RouteFailure)) return outcome;
      tried.push(`  ${ROUTE_NAMES[route]}: ${outcome.reason}`);
    }
    throw new ConfigError(
      `no Redis: REDIS_URL is not set, and none could be brought.\n${tried.join("\n")}\nType this, then try again:\n  ${lineToType(machine)}`,
    );
  } finally {
    release();
  }
}

const ROUTE_NAMES: Readonly<Record<Route, string>> = {
  path: "on PATH",
  "apt-download": "download with apt",
  brew: "brew",
  system: "package manager",
  docker: "docker",
};

/** Homebrew's folders are not on every PATH, such as that of a scheduled job. */
const HOMEBREW_FOLDERS = ["/opt/homebrew/bin", "/usr/local/bin"];

function machineOf({ env, platform, uid, allowSystemInstall }: FindServerOptions): Machine {
  return { platform, isRoot: uid === 0, allowSystemInstall, has: (program) => findProgram(program, env.PATH) !== null };
}

async function tryRoute(
  route: Route,
  machine: Machine,
  options: FindServerOptions,
  signal: AbortSignal,
): Promise<RedisServer | RouteFailure> {
  const { env, cacheFolder, report, platform } = options;
  const install = { env, isRoot: machine.isRoot, linkFolder: join(cacheFolder, "bin"), report };
  switch (route) {
    case "path": {
      const path = platform === "darwin" ? [env.PATH, ...HOMEBREW_FOLDERS].join(":") : env.PATH;
      return findServerIn(path, {
        env,
        signal,
        linkFolder: install.linkFolder,
        libraryPath: null,
        how: "found on PATH",
      });
    }
    case "apt-download":
      return downloadWithApt({ env, cacheFolder, report }, signal);
    case "brew":
      return installWithBrew(install, signal);
    case "system": {
      const manager = packageManager(machine);
      return manager === null ? new RouteFailure("") : installWithSystem(manager, install, signal);
    }
    case "docker":
      return useDocker(install, signal);
  }
}
