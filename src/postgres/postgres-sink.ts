import type { Client } from "pg";
import { SinkError } from "../domain/errors.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { ResultSink } from "../domain/sink.js";
import { codeOf, openDatabase } from "./connect.js";
import { migrate } from "./migrate.js";

/** Outcomes a statement. */
const MOST = 1000;
const LINGER_MS = 100;

const COLUMNS = {
  request: "text",
  batch: "text",
  source: "text",
  page: "integer",
  ref: "text",
  image_key: "text",
  outcome: "text",
  reasons: "text[]",
  code: "text",
  message: "text",
  duplicate_of: "text",
  number_masked: "text",
  number_fingerprint: "text",
  number_jwe: "text",
  luhn: "boolean",
  bank: "text",
  network: "text",
  card_type: "text",
  issue_date: "text",
  expiry_date: "text",
  confidence: "double precision",
  provider: "text",
  calls: "integer",
  attempts: "integer",
  finished_at: "timestamptz",
  record: "jsonb",
} as const;

const NAMES = Object.keys(COLUMNS);
/** One statement, and so one transaction, whatever the number of rows. An outcome that was finished earlier changes nothing. */
const UPSERT = `
  insert into cardbatch_outcomes (${NAMES.join(", ")})
  select ${NAMES.join(", ")}
  from jsonb_to_recordset($1::jsonb) as r(${Object.entries(COLUMNS)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ")})
  on conflict (request) do update
  set ${NAMES.map((name) => `${name} = excluded.${name}`).join(", ")}
  where cardbatch_outcomes.finished_at <= excluded.finished_at`;

/**
 * Writes outcomes into the table `cardbatch_outcomes` of a database, a row a request; makes the table. Connects when there is
 * something to write, and again when the connection broke.
 * @throws ConfigError when the URL is none
 */
export function createPostgresSink(url: string): ResultSink {
  const database = openDatabase(url);
  let client: Client | null = null;
  const connect = async () => {
    const opened = await database.connect();
    try {
      await migrate(opened);
    } catch (error) {
      await opened.end().catch(() => {});
      throw error;
    }
    return opened;
  };
  const disconnect = async () => {
    const open = client;
    client = null;
    await open?.end().catch(() => {});
  };
  return {
    name: "postgres",
    place: database.place,
    taste: { most: MOST, lingerMs: LINGER_MS },
    write: async (records) => {
      try {
        client ??= await connect();
        await client.query(UPSERT, [JSON.stringify(records.map(toRow), storable)]);
      } catch (error) {
        await disconnect();
        throw new SinkError("sink-unavailable", `${database.place} took no outcomes (${codeOf(error)})`);
      }
    },
    close: disconnect,
  };
}

function toRow(record: OutcomeRecord): Record<keyof typeof COLUMNS, unknown> {
  const { request, batch, image, ref, outcome, reasons, calls, attempts, finishedAt, provider, cards } = record;
  const [card] = cards;
  return {
    request,
    batch,
    source: image.source,
    page: image.page,
    ref,
    image_key: image.key,
    outcome,
    reasons,
    code: record.code ?? null,
    message: record.message ?? null,
    duplicate_of: record.duplicateOf ?? null,
    number_masked: card?.number?.masked ?? null,
    number_fingerprint: card?.number?.fingerprint ?? null,
    number_jwe: card?.number?.jwe ?? null,
    luhn: card?.number?.luhn ?? null,
    bank: card?.bank?.name ?? null,
    network: card?.network ?? null,
    card_type: card?.type ?? null,
    issue_date: card?.issueDate ?? null,
    expiry_date: card?.expiryDate ?? null,
    confidence: card?.confidence.number ?? null,
    provider: provider?.name ?? null,
    calls,
    attempts,
    finished_at: finishedAt,
    record,
  };
}

/** Postgres takes neither zero characters nor halves of a pair (PostgreSQL 15, 8.14 JSON Types). */
function storable(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.replace(/[\0\p{Surrogate}]/gu, "\ufffd") : value;
}
