import type { ClientBase } from "pg";

/**
 * Every step from nothing to the present tables, in order; none is ever changed, only added. Their number is kept in
 * `cardbatch_migrations`.
 */
const MIGRATIONS = [
  `create table cardbatch_outcomes (
     request text primary key,
     batch text not null,
     source text not null,
     page integer not null,
     ref text,
     image_key text,
     outcome text not null,
     reasons text[] not null,
     code text,
     message text,
     duplicate_of text,
     number_masked text,
     number_fingerprint text,
     number_jwe text,
     luhn boolean,
     bank text,
     network text,
     card_type text,
     issue_date text,
     expiry_date text,
     confidence double precision,
     provider text,
     calls integer not null,
     attempts integer not null,
     finished_at timestamptz not null,
     record jsonb not null
   );
   comment on table cardbatch_outcomes is 'One row a request, its last outcome; the columns of the card are those of the first in record';
   create index on cardbatch_outcomes (batch, outcome);
   create index on cardbatch_outcomes (number_fingerprint);
   create index on cardbatch_outcomes (ref)`,
];

/** Any number that other programs in the database do not lock by. */
const LOCK = 7_226_227_282;

/** Brings the tables to the present version; several at once wait for each other. */
export async function migrate(client: ClientBase): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock($1)", [LOCK]);
    await client.query(
      "create table if not exists cardbatch_migrations (version integer primary key, applied_at timestamptz not null default now())",
    );
    const { rows } = await client.query<{ version: number | null }>(
      "select max(version) as version from cardbatch_migrations",
    );
    const version = rows[0]?.version ?? 0;
    for (const [i, step] of MIGRATIONS.entries()) {
      if (i < version) continue;
      await client.query(step);
      await client.query("insert into cardbatch_migrations (version) values ($1)", [i + 1]);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
