import { afterAll, beforeAll, expect, inject, it, onTestFinished } from "vitest";
import type { SinkLag } from "../../src/app/status.js";
import { connectRedis } from "../../src/queue/redis.js";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";
import { allKeys } from "../helpers/redis.js";
import { S3_KEYS, startS3Server } from "../helpers/s3-server.js";

const IMAGES = 20;
const MOST_CALLS = 8;

let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;
let args: string[];
beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  const caller = callerSettings(emulator.url);
  env = { ...caller.env, CARDBATCH_HUAWEI_PRICE: "0.05" };
  args = ["run", "archive", "--provider", caller.provider, "--rate", "500", "--out", "out"];
});
afterAll(() => place.close());

async function names(): Promise<string[]> {
  const redis = connectRedis({ url: inject("redisUrl"), name: "test", onError: () => {} });
  const found = await allKeys(redis, place.env.CARDBATCH_PREFIX ?? "");
  redis.disconnect();
  return found.flat();
}

it("tells how everything stands, and changes nothing", { timeout: 300_000 }, async () => {
  const empty = await place.run(["status"], env);
  expect(empty.code, empty.stderr).toBe(0);
  expect(empty.stdout).toContain("none has been called");

  const limits = ["--max-calls", String(MOST_CALLS), "--window", "00:00-24:00", "--tz", "UTC"];
  expect((await place.run([...args, "--batch", "limited", ...limits], env)).code).toBe(4);
  const before = await names();
  const { code, stdout, stderr } = await place.run(["status", "--json"], env);
  expect(code, stderr).toBe(0);
  expect((await names()).filter((name) => !before.includes(name))).toEqual([]);
  const status = JSON.parse(stdout);
  expect(status.batches).toEqual([
    expect.objectContaining({
      batch: "limited",
      found: IMAGES,
      accepted: MOST_CALLS,
      pending: IMAGES - MOST_CALLS,
      live: false,
      calls: { huawei: { calls: MOST_CALLS, billableCalls: MOST_CALLS, uncertainCalls: 0 } },
      cost: MOST_CALLS * 0.05,
      maxCalls: MOST_CALLS,
      spent: true,
      underWay: 0,
      window: { hours: "00:00-24:00", tz: "UTC", opensAt: null },
      unread: 0,
    }),
  ]);
  expect(status.batches[0].position.results).toBeGreaterThan(0);
  expect(status.providers).toEqual([
    expect.objectContaining({ provider: "huawei", breaker: "closed", stopped: false }),
  ]);
  expect(status.queues["card-images"]).toEqual({ waiting: 0, active: 0, asleep: IMAGES - MOST_CALLS });
  expect(status.workers).toBe(0);
  expect(status.ledger.answers).toBe(MOST_CALLS);
  expect(status.ledger.bytesPerAnswer).toBeLessThanOrEqual(1000);

  const text = await place.run(["status", "--batch", "limited"], env);
  expect(text.stdout).toContain(`huawei ${MOST_CALLS} calls (${MOST_CALLS} billable)`);
  expect(text.stdout).toContain("no call left");
  expect((await place.run(["status", "--batch", "nobody"], env)).code).toBe(2);
});

it("tells how far each sink is behind", async () => {
  const s3 = await startS3Server("path");
  onTestFinished(s3.stop);
  const store = {
    CARDBATCH_S3_ENDPOINT: s3.origin,
    CARDBATCH_S3_ADDRESSING: "path",
    CARDBATCH_S3_REGION: S3_KEYS.region,
    CARDBATCH_S3_ACCESS_KEY: S3_KEYS.accessKey,
    CARDBATCH_S3_SECRET_KEY: S3_KEYS.secretKey,
  };
  const sinks = ["--sink", "s3://results/whole", "--sink", "postgres://nobody@127.0.0.1:1/none"];
  const sent = await place.run([...args, "--batch", "sinks", "--refresh", ...sinks], { ...env, ...store });
  expect(sent.code).toBe(1);
  const { stdout } = await place.run(["status", "--batch", "sinks", "--json"], env);
  const places = Object.fromEntries(
    JSON.parse(stdout).batches[0].sinks.map(({ place: at, outcomes }: SinkLag) => [at.replace(/:.*/, ""), outcomes]),
  );
  expect(places).toEqual({ s3: 0, postgres: IMAGES });
  const text = (await place.run(["status", "--batch", "sinks"], env)).stdout;
  expect(text).toMatch(/sink s3:.*: has all that is written/);
  expect(text).toMatch(new RegExp(`sink postgres:.*: about ${IMAGES} outcomes behind`));
});
