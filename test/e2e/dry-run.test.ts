import { existsSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
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

const IMAGES = 20;
const DUPLICATES = 3;

let place: Place;
let emulator: RunningEmulator;
let args: string[];
let env: Record<string, string>;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  for (let i = 0; i < DUPLICATES; i++) {
    await copyFile(place.path("archive/0000/000007.png"), place.path(`archive/copy-${i}.png`));
  }
  await writeFile(place.path("archive/empty.png"), "");
  await writeFile(place.path("archive/readme.txt"), "no image");
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  const caller = callerSettings(emulator.url);
  args = ["archive", "--provider", caller.provider, "--rate", "10"];
  env = { ...caller.env, CARDBATCH_HUAWEI_PRICE: "0.03" };
});
afterAll(() => place.close());

async function names(): Promise<string[]> {
  const redis = connectRedis({ url: inject("redisUrl"), name: "test", onError: () => {} });
  const found = await allKeys(redis, place.env.CARDBATCH_PREFIX ?? "");
  redis.disconnect();
  return found.flat().sort();
}

async function dry(...more: string[]): Promise<Record<string, unknown>> {
  const before = await names();
  const { calls } = (await emulator.report()).totals;
  const { code, stdout, stderr } = await place.run(["run", ...args, "--dry-run", "--json", ...more], env);
  expect(code, stderr).toBe(0);
  // Some of what was there may have run out meanwhile.
  expect((await names()).filter((name) => !before.includes(name))).toEqual([]);
  expect((await emulator.report()).totals.calls).toBe(calls);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const FOUND = {
  dryRun: true,
  files: IMAGES + DUPLICATES + 1,
  ignored: 1,
  pages: IMAGES + DUPLICATES + 1,
  unreadable: 1,
  duplicates: DUPLICATES,
  exact: true,
};

it("tells what a run would do, and does nothing", { timeout: 300_000 }, async () => {
  const first = await dry("--batch", "one", "--max-calls", "12", "--budget", "0.5");
  expect(first).toMatchObject({ ...FOUND, done: 0, answered: 0, calls: IMAGES, callsLeft: 12, budgetLeft: 0.5 });
  expect(first.cost).toBeCloseTo(IMAGES * 0.03);
  expect(first.hours).toBeCloseTo(IMAGES / 10 / 3600);
  expect(existsSync(place.path("out"))).toBe(false);

  const ran = await place.run(["run", ...args, "--batch", "one", "--max-calls", "12"], env);
  expect(ran.code, ran.stderr).toBe(4);
  expect(await dry("--batch", "one")).toMatchObject({ ...FOUND, done: 12, calls: IMAGES - 12, callsLeft: 0 });
  expect(await dry("--batch", "two")).toMatchObject({ ...FOUND, done: 0, answered: 12, calls: IMAGES - 12 });
  expect(await dry("--batch", "one", "--refresh")).toMatchObject({ ...FOUND, answered: 0, calls: IMAGES });
  expect(await dry("--batch", "one", "--limit", "5")).toMatchObject({ pages: 5 });

  const { stderr } = await place.run(["enqueue", ...args, "--dry-run"], env);
  expect(stderr).toContain("24 in 24 files  (1 other file ignored, 1 cannot be read)");
  expect(stderr).toContain("8 to huawei, 800 ms at the allowed rate");
  expect(stderr).toContain("0.24 at 0.03 a call");
});
