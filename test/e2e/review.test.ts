import { rm, writeFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { cardNumber } from "../helpers/card-numbers.js";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { findPostgres, type PostgresServer, queryPostgres, startPostgres } from "../helpers/postgres-server.js";

/** So many are decided while others are still read. */
const DECIDED = IS_LONG ? 1000 : 45;
const LATER = IS_LONG ? 1000 : 60;

const bin = await findPostgres();
let place: Place;
let emulator: RunningEmulator;
let postgres: PostgresServer | null = null;
let sink: string | null = null;
let env: Record<string, string>;
beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "20"]);
  // No confidence is enough: everything is in review.
  env = { ...callerSettings(emulator.url).env, CARDBATCH_HUAWEI_THRESHOLD: "1" };
  if (bin === null) return;
  postgres = await startPostgres(bin);
  sink = await postgres.createDatabase("review");
});
afterAll(async () => {
  await postgres?.close();
  await place.close();
});

const runArgs = (rate: string) => [
  ...["run", "archive", "--provider", "huawei", "--batch", "b", "--rate", rate, "--out", "out"],
  ...(sink === null ? [] : ["--sink", sink]),
];
const ofReview = (...args: string[]) => ["review", ...args, "--batch", "b", "--out", "out"];
type Rows = Record<string, string>[];
const rowsOf = (text: string) => parse(text, { columns: true, bom: true, trim: true }) as Rows;
/** As a spreadsheet saves it, without the columns that are only looked at. */
const save = (rows: Rows) =>
  [
    "card,request,decision,number",
    ...rows.map((its) => [its.card, its.request, its.decision, its.number].join(",")),
  ].join("\r\n");
const numberOf = (i: number) => cardNumber("622588", 16, i);
const DECISIONS = ["confirm", "correct", "reject"] as const;

/** Every third one is confirmed, corrected, rejected. */
const decide = (rows: Rows): Rows =>
  rows.map((its, i) => {
    const decision = DECISIONS[i % 3] ?? "";
    return { ...its, decision, number: decision === "correct" ? numberOf(i) : "" };
  });

async function rowsInSink(): Promise<OutcomeRecord[] | null> {
  if (sink === null) return null;
  return (await queryPostgres<{ record: OutcomeRecord }>(sink, "select record from cardbatch_outcomes")).map(
    ({ record }) => record,
  );
}
const facts = (records: readonly OutcomeRecord[]) =>
  records
    .map(({ request, outcome, review, cards }) => [request, outcome, review?.decision, cards[0]?.number?.fingerprint])
    .toSorted();

test(`${DECIDED} pages in review go out, are decided and come back while the run goes on`, {
  timeout: 1_200_000,
}, async () => {
  await drawArchive(place.path("archive"), DECIDED + LATER);
  // However slow this machine is, the run has work left while decisions come in.
  const slow = { calls: { from: DECIDED + 10 }, do: { kind: "delay", ms: 10_000 } };
  await emulator.setFaults({ rules: [slow] });
  const running = place.start([...runArgs("200"), "--concurrency", "2"], env);
  const exported = async () => (await place.run(ofReview("export"), env)).stdout;
  const enough = async () => rowsOf(await exported()).length;
  await expect.poll(enough, { timeout: 300_000, interval: 200 }).toBeGreaterThanOrEqual(DECIDED);
  const shown = rowsOf(await exported()).slice(0, DECIDED);
  expect(shown[0]).toMatchObject({
    masked: expect.stringMatching(/^\d{6}\*+\d{4}$/),
    number: "",
    reasons: "confidence-low",
  });
  expect(shown[0]?.image).toContain(place.path("archive"));

  const rows = decide(shown);
  await writeFile(place.path("review.csv"), save(rows));
  const imported = await place.run([...ofReview("import", "review.csv"), "--by", "li.na", "--json"], env);
  expect(imported.code, imported.stderr).toBe(0);
  const third = DECIDED / 3;
  expect(JSON.parse(imported.stdout)).toMatchObject({
    confirmed: Math.ceil(third),
    corrected: Math.round(third),
    rejected: Math.floor(third),
    problems: [],
    writtenElsewhere: true,
  });
  expect(running.child.exitCode, "the run must be going on").toBeNull();
  await emulator.setFaults({ rules: [] });
  const finished = await running.done;
  expect(finished.code, finished.stderr).toBe(0);

  const { all } = readOut(place.path("out"));
  expect(all).toHaveLength(DECIDED + LATER);
  const byRequest = new Map(all.map((record) => [record.request as string, record]));
  for (const { request = "", decision } of rows) {
    const record = byRequest.get(request);
    expect(record).toMatchObject({ outcome: decision === "reject" ? "rejected" : "accepted" });
    expect(record?.review).toMatchObject({ by: "li.na", machine: { outcome: "review", reasons: ["confidence-low"] } });
    expect(record?.review?.machine.cards[0]?.number?.jwe).toMatch(/^eyJ/);
  }
  const { found, accepted, review, rejected } = readSummary(place.path("out"));
  expect({ found, sum: accepted + review + rejected }).toEqual({ found: all.length, sum: all.length });
  expect(review).toBe(LATER);
  const inSink = await rowsInSink();
  if (inSink !== null) expect(facts(inSink)).toEqual(facts(all));

  const revealed = await place.run(["reveal", "out/results.ndjson", "--reason", "test"], env);
  for (const [i, { request, decision }] of rows.entries()) {
    const line = revealed.stdout.split("\n").find((each) => each.includes(`"${request}"`)) ?? "{}";
    if (decision === "correct") expect(JSON.parse(line).cards[0].number.value).toBe(numberOf(i));
  }
});

test("decisions stand when the batch is judged again, and in a new folder", async () => {
  const before = facts(readOut(place.path("out")).all.filter(({ review }) => review !== undefined));
  const decided = () => facts(readOut(place.path("out")).all.filter(({ review }) => review !== undefined));
  expect((await place.run(runArgs("500"), { ...env, CARDBATCH_HUAWEI_THRESHOLD: "0.1" })).code).toBe(0);
  expect(decided()).toEqual(before);
  await rm(place.path("out"), { recursive: true });
  expect((await place.run(runArgs("500"), env)).code).toBe(0);
  expect(decided()).toEqual(before);
  expect((await emulator.report()).totals.calls).toBe(DECIDED + LATER);
});

test("a finished batch takes decisions too: twice changes nothing, and what is wrong is told by line", async () => {
  const exported = await place.run([...ofReview("export"), "--reveal", "--reason", "ticket 1"], env);
  const [first, second, third] = rowsOf(exported.stdout);
  expect(first?.number).toMatch(/^(\d{4} ){3,4}\d+$/);
  const rows = [
    { ...first, decision: "confirm" },
    { ...second, decision: "correct", number: "6.22588E+15" },
    { ...third, request: "r_nobody", decision: "confirm" },
  ] as Rows;
  await writeFile(place.path("more.csv"), save(rows));
  const imported = await place.run([...ofReview("import", "more.csv"), "--json"], env);
  expect(imported.code).toBe(1);
  expect(JSON.parse(imported.stdout)).toMatchObject({ confirmed: 1, corrected: 0, writtenElsewhere: false });
  expect(imported.stderr).toMatch(/line 3: not taken: .*rounded/);
  expect(imported.stderr).toContain("line 4: not taken");
  const { review } = readSummary(place.path("out"));
  expect(review).toBe(LATER - 1);
  await writeFile(place.path("again.csv"), save(rows.slice(0, 1)));
  const again = await place.run([...ofReview("import", "again.csv"), "--json"], env);
  expect(JSON.parse(again.stdout)).toMatchObject({ confirmed: 0, unchanged: 1, writtenElsewhere: false });
  expect(readOut(place.path("out")).all).toHaveLength(DECIDED + LATER);
  expect((await place.run(["review", "export", "--batch", "b", "--reveal"], env)).code).toBe(2);
});
