import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.js";

const NOBODY = 65_534;
const DEBIAN = "/usr/lib/postgresql";

/** A Postgres of a test's own, to be killed and started again: same port, same data. */
export interface PostgresServer {
  /** A new database on it. */
  createDatabase(name: string): Promise<string>;
  start(): Promise<void>;
  /** Ends the server, and waits until it is gone. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** The folder with `initdb` and `postgres`; null: this machine has none. */
export function findPostgres(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, "bin")) : [];
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...versions];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres"))) ?? null;
}

/** Named where a test is left out for want of a server. */
export const NO_POSTGRES = "no Postgres here: install postgresql, or put initdb and postgres on PATH";

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

/** @param bin as `findPostgres` gives it */
export async function startPostgres(bin: string): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-postgres-"));
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ("uid" in user) chownSync(folder, NOBODY, NOBODY);
  const data = join(folder, "data");
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"], {
    ...user,
    cwd: folder,
    stdio: "pipe",
  });
  const port = await freePort();
  const urlOf = (database: string) => `postgres://test@127.0.0.1:${port}/${database}`;
  let child: ChildProcess | null = null;

  const start = async () => {
    const settings = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", fsync: "off" };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    child = spawn(join(bin, "postgres"), ["-D", data, ...args], { ...user, cwd: folder, stdio: "ignore" });
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
