import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  startEmulator,
} from "../helpers/cli.js";
import {
  findPostgres,
  NO_POSTGRES,
  type PostgresServer,
  queryPostgres,
  startPostgres,
} from "../helpers/postgres-server.js";
import { seededRandom } from "../helpers/random.js";
import { S3_KEYS, type S3Server, startS3Server } from "../helpers/s3-server.js";

const KILLS = IS_LONG ? 20 : 2;
const DOWN_MS = IS_LONG ? 600_000 : 1000;
const IMAGES_A_ROUND = 40;

const bin = await findPostgres();
let s3: S3Server;
let place: Place;
let emulator: RunningEmulator;
let postgres: PostgresServer;
let env: Record<string, string>;
beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "20"]);
  s3 = await startS3Server("path");
  env = {
    ...callerSettings(emulator.url).env,
    CARDBATCH_S3_ENDPOINT: s3.origin,
    CARDBATCH_S3_ADDRESSING: "path",
    CARDBATCH_S3_REGION: S3_KEYS.region,
    CARDBATCH_S3_ACCESS_KEY: S3_KEYS.accessKey,
    CARDBATCH_S3_SECRET_KEY: S3_KEYS.secretKey,
  };
  if (bin !== null) postgres = await startPostgres(bin);
});
afterAll(async () => {
  await postgres?.close();
  await place.close();
  await s3.stop();
});

const runArgs = (batch: string, ...sinks: string[]) => [
  ...["run", batch, "--provider", "huawei", "--rate", "200", "--batch", batch, "--out", `out-${batch}`],
  ...sinks.flatMap((sink) => ["--sink", sink]),
];

/** Each request with its outcome, in order: what the files say and what the table says must be the same. */
const linesOf = (batch: string) =>
  readOut(place.path(`out-${batch}`))
    .all.map(({ request, outcome }) => `${request} ${outcome}`)
    .toSorted();
async function rowsOf(url: string): Promise<string[]> {
  const query = "select request || ' ' || outcome as line from cardbatch_outcomes";
  return (await queryPostgres<{ line: string }>(url, query)).map(({ line }) => line).toSorted();
}

/** The same of every object. */
const objectLines = () =>
  [...s3.objects.values()]
    .flatMap((body) => body.toString().trim().split("\n"))
    .map((line) => JSON.parse(line) as OutcomeRecord)
    .map(({ request, outcome }) => `${request} ${outcome}`)
    .toSorted();

test(`nothing is missing or double in any sink after ${KILLS} kills in the middle of their writes`, {
  timeout: 2_400_000,
}, async () => {
  const table = bin === null ? null : await postgres.createDatabase("killed");
  const sinks = [...(table === null ? [] : [table]), "s3://results/killed"];
  const random = seededRandom(5);
  for (let round = 0; round < KILLS; round++) {
    await drawArchive(place.path("killed"), IMAGES_A_ROUND, 1000 * round);
    if (round % 2 === 0) {
      // Written, and nobody knows it.
      const at = { ...env, CARDBATCH_KILL_AT: `followed:${1 + Math.floor(2 * random())}` };
      const dead = await place.start(runArgs("killed", ...sinks), at).done;
      expect(dead.signal, dead.stderr).toBe("SIGKILL");
    } else {
      const before = (await emulator.report()).totals.calls;
      const running = place.start(runArgs("killed", ...sinks), env);
      await expect
        .poll(async () => (await emulator.report()).totals.calls, { timeout: 60_000 })
        .toBeGreaterThan(before);
      await sleep(200 * random());
      running.kill("SIGKILL");
      await running.done;
    }
  }
  const last = await place.run(runArgs("killed", ...sinks), env);
  expect(last.code, last.stderr).toBe(0);
  expect(linesOf("killed")).toHaveLength(KILLS * IMAGES_A_ROUND);
  expect(objectLines()).toEqual(linesOf("killed"));
  if (table !== null) expect(await rowsOf(table)).toEqual(linesOf("killed"));
});

describe.skipIf(bin === null)(
  bin === null ? NO_POSTGRES : "with a Postgres",
  { timeout: 2 * DOWN_MS + 1_200_000 },
  () => {
    test(`a sink that is down for ${DOWN_MS / 1000} s delays nothing and catches up`, async () => {
      const sink = await postgres.createDatabase("down");
      const drain = place.start(["drain", "--destination", "down", "--out", "out-down", "--sink", sink], env);
      await expect.poll(() => drain.stderr(), { timeout: 60_000 }).toContain("writing outcomes");
      const worker = place.start(["worker", "--provider", "huawei", "--rate", "200"], env);
      const enqueue = async (round: number) => {
        await drawArchive(place.path("down"), IMAGES_A_ROUND, 100_000 + 1000 * round);
        const options = ["--provider", "huawei", "--batch", "down", "--destination", "down"];
        expect((await place.run(["enqueue", "down", ...options], env)).code).toBe(0);
      };
      await enqueue(0);
      await expect.poll(() => rowsOf(sink).catch(() => []), { timeout: 60_000 }).toHaveLength(IMAGES_A_ROUND);
      await postgres.kill();
      const until = performance.now() + DOWN_MS;
      let round = 0;
      do {
        await enqueue(++round);
        await expect.poll(() => linesOf("down"), { timeout: 60_000 }).toHaveLength((round + 1) * IMAGES_A_ROUND);
        await sleep(Math.min(DOWN_MS / 20, Math.max(until - performance.now(), 0)));
      } while (performance.now() < until);
      await postgres.start();
      const startedAt = performance.now();
      await expect.poll(() => rowsOf(sink), { timeout: 60_000 }).toEqual(linesOf("down"));
      console.log(
        `caught up with ${round * IMAGES_A_ROUND} outcomes ${Math.round(performance.now() - startedAt)} ms after the sink was back`,
      );
      drain.kill("SIGTERM");
      worker.kill("SIGTERM");
      expect((await drain.done).code).toBe(0);
      expect((await worker.done).code).toBe(0);
    });

    test("a run whose sink stays down ends, says so, and the next one makes up for it", async () => {
      const sink = await postgres.createDatabase("away");
      await drawArchive(place.path("away"), 5, 900_000);
      await postgres.kill();
      const without = await place.run(runArgs("away", sink), env);
      await postgres.start();
      expect(without.code, without.stderr).toBe(1);
      expect(without.stderr).toContain("lacks outcomes");
      expect(linesOf("away")).toHaveLength(5);
      const again = await place.run(runArgs("away", sink), env);
      expect(again.code, again.stderr).toBe(0);
      expect(await rowsOf(sink)).toEqual(linesOf("away"));
    });
  },
);
