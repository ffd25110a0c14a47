import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/domain/errors.js";
import { openSource } from "../../src/intake/open-source.js";
import { queryRows } from "../../src/postgres/query-rows.js";
import { describeSource } from "../contract/source-contract.js";
import { collect } from "../helpers/collect.js";
import {
  findPostgres,
  NO_POSTGRES,
  type PostgresServer,
  queryPostgres,
  startPostgres,
} from "../helpers/postgres-server.js";
import { tempFolder } from "../helpers/temp-folder.js";

const bin = await findPostgres();
const NEVER = new AbortController().signal;
let server: PostgresServer;
let url: string;
beforeAll(async () => {
  if (bin === null) return;
  server = await startPostgres(bin);
  url = await server.createDatabase("scans");
  await queryPostgres(url, "create table scans (id bigint, path text, at date)");
  await queryPostgres(
    url,
    "insert into scans select i, 'scan-' || i || '.jpg', '2019-01-01' from generate_series(1, 2500) i",
  );
});
afterAll(() => server?.close());

const open = (path: string) =>
  openSource(path, {
    roots: new Map(),
    encoding: "utf-8",
    query: (text, signal) => queryRows(url, text, signal),
  });
const list = async (query: string) => {
  const source = await open(join(tempFolder({ "scans.sql": query }), "scans.sql"));
  return collect(source.list(() => {}, NEVER));
};
const connections = () =>
  queryPostgres(url, "select pid from pg_stat_activity where application_name = 'cardbatch'").then(
    (rows) => rows.length,
  );

describe.skipIf(bin === null)(bin === null ? NO_POSTGRES : "with a Postgres", () => {
  describeSource("postgres query", async () => {
    const query = "select path as source, id as ref from scans where id <= 4 order by id;\n";
    const folder = tempFolder({ "scans.sql": query, "other.sql": "select 'a.jpg' as source" });
    return {
      source: await open(join(folder, "scans.sql")),
      sameSource: await open(join(folder, "..", folder.split("/").at(-1) ?? "", "scans.sql")),
      otherSource: await open(join(folder, "other.sql")),
      names: [1, 2, 3, 4].map((i) => `scan-${i}.jpg`),
      ignored: 0,
    };
  });

  test("gives every row in its order, with its ref, and lets go of the server", async () => {
    const all = await list("select path as source, id as ref from scans order by id");
    expect(all.map(({ ref }) => ref)).toEqual(Array.from({ length: 2500 }, (_, i) => String(i + 1)));
    await expect.poll(connections).toBe(0);
  });

  test("lets go of the server when it is left early", async () => {
    for await (const _ of queryRows(url, "select path as source from scans", NEVER)) break;
    await expect.poll(connections).toBe(0);
  });

  test("a row that names no file, or a ref that is none, is that row's problem", async () => {
    const rows = "(null, '1'), ('a.jpg', null), ('../b.jpg', null), ('c.jpg', repeat('x', 200))";
    const all = await list(`select * from (values ${rows}) as scans (source, ref)`);
    expect(all.map(({ problem }) => problem?.code ?? null)).toEqual([
      "image-reference",
      null,
      "image-outside-root",
      "ref-refused",
    ]);
  });

  test.each([
    ["selec", "42601"],
    ["select path from scans", "no column named source"],
    ["delete from scans", "42601"],
    ["select source from nothing", "42P01"],
  ])("refuses %s and says why", async (query, why) => {
    await expect(list(query)).rejects.toThrow(UsageError);
    await expect(list(query)).rejects.toThrow(why);
    expect(await queryPostgres(url, "select count(*)::int as count from scans")).toEqual([{ count: 2500 }]);
  });

  test("says that nobody answers", async () => {
    const nobody = queryRows("postgres://test@127.0.0.1:1/scans", "select 1", NEVER);
    await expect(nobody.next()).rejects.toThrow(
      "postgres://127.0.0.1:1/scans: the query cannot be read (ECONNREFUSED)",
    );
  });
});

test("a query without a database to ask is refused", async () => {
  const path = join(tempFolder({ "scans.sql": "select 1" }), "scans.sql");
  await expect(openSource(path, { roots: new Map(), encoding: "utf-8" })).rejects.toThrow("CARDBATCH_DATABASE");
});
