import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { createPostgresSink } from "../../src/postgres/postgres-sink.js";
import { describeSink } from "../contract/sink-contract.js";
import {
  findPostgres,
  NO_POSTGRES,
  type PostgresServer,
  queryPostgres,
  startPostgres,
} from "../helpers/postgres-server.js";
import { recordOf } from "../helpers/records.js";

const bin = await findPostgres();
let server: PostgresServer;
beforeAll(async () => {
  if (bin !== null) server = await startPostgres(bin);
});
afterAll(() => server?.close());

let databases = 0;
const newDatabase = () => server.createDatabase(`test_${++databases}`);

describe.skipIf(bin === null)(bin === null ? NO_POSTGRES : "with a Postgres", () => {
  describeSink("postgres", async () => {
    const url = await newDatabase();
    return {
      open: async () => {
        const sink = createPostgresSink(url);
        return { write: (records) => sink.write(records, 1), commit: async () => {}, close: sink.close };
      },
      read: async () => {
        const rows = await queryPostgres<{ record: OutcomeRecord }>(url, "select record from cardbatch_outcomes");
        return rows.map(({ record }) => record);
      },
      whileDown: async (act) => {
        await server.kill();
        await act();
        await server.start();
      },
    };
  });

  test("several that start at once make the table once", async () => {
    const url = await newDatabase();
    const sinks = [1, 2, 3, 4].map(() => createPostgresSink(url));
    await Promise.all(sinks.map((sink, i) => sink.write([recordOf("b", i)], 1)));
    await Promise.all(sinks.map((sink) => sink.close()));
    expect(await queryPostgres(url, "select version from cardbatch_migrations")).toEqual([{ version: 1 }]);
    expect(await queryPostgres(url, "select request from cardbatch_outcomes")).toHaveLength(4);
  });

  test("an outcome that was finished earlier does not take a later one's place", async () => {
    const url = await newDatabase();
    const sink = createPostgresSink(url);
    await sink.write([recordOf("b", 1, "accepted", { finishedAt: "2026-11-22T09:00:00.000Z" })], 1);
    await sink.write([recordOf("b", 1, "failed", { finishedAt: "2026-11-22T08:00:00.000Z" })], 2);
    await sink.close();
    expect(await queryPostgres(url, "select outcome from cardbatch_outcomes")).toEqual([{ outcome: "accepted" }]);
  });
});

test.each(["postgres://", "postgres://user:hush@host", "postgres:hush"])("refuses %s without repeating it", (url) => {
  expect(() => createPostgresSink(url)).toThrow(ConfigError);
  expect(() => createPostgresSink(url)).toThrow(/^(?!.*hush)/);
});

test("its place names no credentials", () => {
  expect(createPostgresSink("postgres://user:hush@db.example:5433/cards?sslmode=verify-full").place).toBe(
    "postgres://db.example:5433/cards",
  );
});
