import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type Brought, bring, type Wanted } from "../../scripts/bring.mjs";
import { freePort } from "./free-port.js";

const NOBODY = 65_534;
/** It refuses to run as root. */
const USER = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

const POSTGRES: Wanted = {
  name: "postgres",
  programs: ["postgres"],
  // Debian has a folder for each version.
  folders: (root) => {
    const versions = join(root, "usr/lib/postgresql");
    return existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")) : [];
  },
  packages: async (apt) => (await apt.depends("postgresql")).filter((name) => /^postgresql-\d+$/.test(name)),
};

/** A Postgres of a test's own, to be killed and started again: same port, same data. */
export interface PostgresServer {
  /** A new database on it. */
  createDatabase(name: string): Promise<string>;
  start(): Promise<void>;
  /** Ends the server, and waits until it is gone. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** On PATH, or brought from Debian; null: neither, or not where the user may read it that it has to run as. */
export async function findPostgres(): Promise<Brought | null> {
  const found = await bring(POSTGRES);
  if (found === null || !existsSync(join(found.folder, "initdb"))) return null;
  const { status } = spawnSync(found.file, ["--version"], { ...USER, env: found.env, cwd: "/", stdio: "ignore" });
  return status === 0 ? found : null;
}

/** Named where a test is left out for want of a server. */
export const NO_POSTGRES =
  "no Postgres here, and none can be brought: install postgresql, or put initdb and postgres on PATH";

/** The rows that a query gives. */
export async function queryPostgres<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

export async function startPostgres({ folder: bin, file, env }: Brought): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-postgres-"));
  if ("uid" in USER) chownSync(folder, NOBODY, NOBODY);
  const data = join(folder, "data");
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"], {
    ...USER,
    env,
    cwd: folder,
    stdio: "pipe",
  });
  const port = await freePort();
  const urlOf = (database: string) => `postgres://test@127.0.0.1:${port}/${database}`;
  let child: ChildProcess | null = null;

  const start = async () => {
    const settings = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", fsync: "off" };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    child = spawn(file, ["-D", data, ...args], { ...USER, env, cwd: folder, stdio: "ignore" });
    for (;;) {
      const isUp = await queryPostgres(urlOf("postgres"), "select 1").then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const kill = async () => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    // Immediate shutdown: as a crash, but with none of its processes left behind.
    child.kill("SIGQUIT");
    await ended;
  };
  await start();
  return {
    createDatabase: async (name) => {
      await queryPostgres(urlOf("postgres"), `create database ${name}`);
      return urlOf(name);
    },
    start,
    kill,
    close: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
