import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EnsuredRedis, ensureRedis, stopPrivateRedis } from "../../src/bootstrap/private-redis.js";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const SAMPLES = join(PROJECT, "samples");
const FAULTS = {
  seed: 3,
  rules: [
    { probability: 0.15, do: { kind: "status", status: 503 } },
    { probability: 0.1, do: { kind: "truncated" } },
    { probability: 0.05, do: { kind: "reset-after" } },
    { probability: 0.1, do: { kind: "error-body" } },
  ],
};

let place: Place;
let redis: EnsuredRedis;
let emulator: RunningEmulator;
/** Everything a run leaves behind: queues and AOF of a Redis of its own, logs at trace level, metrics, results. */
let places: readonly string[];

beforeAll(async () => {
  place = openPlace();
  redis = await ensureRedis(
    {
      redisUrl: null,
      env: process.env,
      cacheFolder: join(PROJECT, ".cache/redis"),
      dataFolder: place.path("redis"),
      keeperEntry: join(PROJECT, "dist/bootstrap/keeper.js"),
      report: () => {},
    },
    AbortSignal.timeout(60_000),
  );
  place.env.REDIS_URL = redis.url;
  place.env.CARDBATCH_LOG_LEVEL = "trace";
  await place.run(["keys", "init"]);
  await drawArchive(place.path("archive"), 60);
  emulator = await startEmulator(place, ["--answer", `truth:${join(SAMPLES, "truth.csv")}`]);
  places = [
    redis.url,
    place.path("redis"),
    place.path("logs"),
    place.path("metrics"),
    place.path("out"),
    place.path("out-local"),
  ];
  await mkdir(place.path("logs"));
  await mkdir(place.path("metrics"));
}, 120_000);
afterAll(async () => {
  await place.close();
  await redis.close();
  await stopPrivateRedis(place.path("redis"), AbortSignal.timeout(20_000));
});

async function runLogged(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const metrics = place.path("metrics", `${name}.txt`);
  const { stderr } = await place.run(["run", ...args, "--metrics-file", metrics, "--csv", "--tolerate-failures"], env);
  await writeFile(place.path("logs", `${name}.log`), stderr);
}

/** The numbers that went through the system, one a line. */
async function canaries(...outs: string[]): Promise<string> {
  const numbers = new Set<string>();
  for (const out of outs) {
    for (const file of ["results.ndjson", "failures.ndjson"]) {
      const { stdout } = await place.run(["reveal", join(out, file), "--reason", "canaries"]);
      for (const [, number] of stdout.matchAll(/"value":"(\d{12,19})"/g)) if (number !== undefined) numbers.add(number);
    }
  }
  expect(numbers.size).toBeGreaterThan(40);
  await writeFile(place.path("canaries.txt"), [...numbers].join("\n"));
  return [...numbers][0] ?? "";
}

describe("card numbers", () => {
  it("are in no queue, AOF, log, metric or result after runs with faults, and are found where they are planted", {
    timeout: 240_000,
  }, async () => {
    const { env } = callerSettings(emulator.url);
    await emulator.setFaults(FAULTS);
    await runLogged("vendor", [SAMPLES, "archive", "--provider", "huawei", "--rate", "200", "--out", "out"], env);
    await runLogged("local", [SAMPLES, "--provider", "local", "--out", "out-local"]);
    const number = await canaries("out", "out-local");

    const scan = (where: string, mode: readonly string[] = ["--canaries", "canaries.txt"]) =>
      place.run(["pan-scan", where, ...mode]);
    for (const where of places) {
      const { code, stdout, stderr } = await scan(where);
      expect(`${where}: ${code} ${stdout}`, stderr).toBe(`${where}: 0 `);
    }
    // By their look alone, too: nothing that could be a card number, whosever it is.
    for (const where of places.slice(2)) expect(`${where}: ${(await scan(where, [])).stdout}`).toBe(`${where}: `);

    await plant(number);
    for (const where of places) expect(`${where}: ${(await scan(where)).code}`).toBe(`${where}: 1`);
  });
});

/** Puts a number where a fault of ours could leave one. */
async function plant(number: string): Promise<void> {
  const client = new Redis(redis.url);
  await client.hset("planted", "data", JSON.stringify({ card: number }));
  client.disconnect();
  await appendFile(place.path("logs", "vendor.log"), `{"msg":"failed for ${number}"}\n`);
  await appendFile(place.path("metrics", "vendor.txt"), `cardbatch_fault{card="${number}"} 1\n`);
  for (const out of ["out", "out-local"]) {
    await appendFile(place.path(out, "results.ndjson"), `{"number":"${Buffer.from(number).toString("base64")}"}\n`);
  }
}
