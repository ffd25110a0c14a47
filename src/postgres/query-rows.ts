import { UsageError } from "../domain/errors.js";
import { codeOf, openDatabase } from "./connect.js";

const ROWS_AT_A_TIME = 1000;

/** A row of a query that lists images. */
export interface QueryRow {
  /** From 1. */
  readonly line: number;
  readonly source: unknown;
  readonly ref: unknown;
}

/**
 * The rows of a query with a column `source` and maybe `ref`, in memory that does not grow with them. The server keeps the
 * result until the listing is through: hours of waiting for workers hold no transaction open.
 * @throws UsageError when the database or the query cannot be used, or the query has no column `source`
 */
export async function* queryRows(url: string, query: string, signal: AbortSignal): AsyncGenerator<QueryRow> {
  const database = openDatabase(url);
  const refuse = (error: unknown) => new UsageError(`${database.place}: the query cannot be read (${codeOf(error)})`);
  const client = await database.connect().catch((error: unknown) => Promise.reject(refuse(error)));
  try {
    await client.query("begin read only");
    await client.query(`declare images no scroll cursor with hold for ${query.trim().replace(/;$/, "")}`);
    await client.query("commit");
    for (let line = 1; ; ) {
      signal.throwIfAborted();
      const { rows, fields } = await client.query<Record<string, unknown>>(`fetch ${ROWS_AT_A_TIME} from images`);
      if (!fields.some(({ name }) => name === "source")) {
        throw new UsageError(`${database.place}: the query gives no column named source`);
      }
      for (const { source, ref } of rows) yield { line: line++, source, ref };
      if (rows.length < ROWS_AT_A_TIME) return;
    }
  } catch (error) {
    if (error instanceof UsageError || signal.aborted) throw error;
    throw refuse(error);
  } finally {
    await client.end().catch(() => {});
  }
}
