import pg from "pg";
import { ConfigError } from "../domain/errors.js";

const CONNECT_MS = 10_000;
const QUERY_MS = 30_000;

/** A database as a `postgres://` URL names it. Passwords may also be in `~/.pgpass` or `PGPASSWORD`. */
export interface Database {
  /** `postgres://host:port/name`, without credentials. */
  readonly place: string;
  /** Opens a connection that does not wait for ever. */
  readonly connect: () => Promise<pg.Client>;
}

/** @throws ConfigError when the URL is none; it is never in the message */
export function openDatabase(url: string): Database {
  const { host, port, database } = parse(url);
  return {
    place: `postgres://${host}:${port}/${database}`,
    connect: async () => {
      const client = new pg.Client({
        connectionString: url,
        application_name: "cardbatch",
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: QUERY_MS,
        statement_timeout: QUERY_MS,
        keepAlive: true,
      });
      // A connection that breaks while nobody uses it is found out by who uses it next.
      client.on("error", () => {});
      await client.connect();
      return client;
    },
  };
}

function parse(url: string) {
  try {
    const { host, port, database } = new pg.Client({ connectionString: url });
    const { hostname, pathname } = new URL(url);
    if (hostname !== "" && pathname.length > 1) return { host, port, database: database ?? "" };
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new ConfigError("a Postgres database is named as postgres://user@host:5432/name");
}

/** What went wrong, without the server's text, which may quote data: SQLSTATE or the system's code. */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "no answer";
}
