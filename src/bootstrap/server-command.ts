import { createHash } from "node:crypto";
import { join } from "node:path";
import type { RedisServer } from "./server-program.js";

/** Where a server's configuration says that it listens and keeps its data: inside the container, if it runs in one. */
export interface ServerPlace {
  readonly bind: string;
  readonly port: number;
  readonly dataFolder: string;
}

const PORT_IN_CONTAINER = 6379;

export function serverPlace(server: RedisServer, port: number, dataFolder: string): ServerPlace {
  return server.inContainer
    ? { bind: "0.0.0.0", port: PORT_IN_CONTAINER, dataFolder: "/data" }
    : { bind: "127.0.0.1", port, dataFolder };
}

/** What a server's command depends on besides its program. */
export interface CommandOptions {
  readonly port: number;
  readonly dataFolder: string;
  /** `setpriv --pdeathsig` works here: the system ends the server when its keeper is killed. */
  readonly canTie: boolean;
  /** User and group that own the data folder. */
  readonly owner: string;
}

/** The command a keeper runs: the server in the foreground, with its configuration from a file in the data folder. */
export function serverCommand(server: RedisServer, options: CommandOptions): readonly [string, ...string[]] {
  const { port, dataFolder, canTie, owner } = options;
  if (server.inContainer) {
    const [docker, image = ""] = server.command;
    const run = ["run", "--rm", "--name", containerName(dataFolder), "--user", owner];
    const mounts = ["-p", `127.0.0.1:${port}:${PORT_IN_CONTAINER}`, "-v", `${dataFolder}:/data`];
    return [docker, ...run, ...mounts, image, "redis-server", "/data/redis.conf"];
  }
  const libraries = server.libraryPath === null ? [] : ["env", `LD_LIBRARY_PATH=${server.libraryPath}`];
  const tie = canTie ? ["setpriv", "--pdeathsig", "TERM"] : [];
  const [program = "", ...rest] = [...tie, ...libraries, ...server.command, join(dataFolder, "redis.conf")];
  return [program, ...rest];
}

/** One a data folder, so that a container which outlived its keeper can be found and removed. */
export function containerName(dataFolder: string): string {
  return `cardbatch-redis-${createHash("sha256").update(dataFolder).digest("hex").slice(0, 12)}`;
}
