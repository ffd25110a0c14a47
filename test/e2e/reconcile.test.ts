import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, expect, inject, it } from "vitest";
import { connectRedis } from "../../src/queue/redis.js";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  startEmulator,
} from "../helpers/cli.js";
import { allKeys } from "../helpers/redis.js";

const IMAGES = 20;

let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;
const redis = connectRedis({ url: inject("redisUrl"), name: "test", onError: () => {} });
const args = ["archive", "--provider", "huawei", "--rate", "500", "--batch", "b", "--out", "out"];
const lines = () => place.path("out", "results.ndjson");
let whole = "";

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  env = callerSettings(emulator.url).env;
  expect((await place.run(["run", ...args], env)).code).toBe(0);
  whole = await readFile(lines(), "utf8");
});
beforeEach(() => emulator.reset());
afterAll(async () => {
  redis.disconnect();
  await place.close();
});

async function reconcile(...more: string[]) {
  const { code, stdout, stderr } = await place.run(["reconcile", ...args, "--json", ...more], env);
  expect(stdout, stderr).not.toBe("");
  return { code, ...(JSON.parse(stdout) as { differences: object; repaired?: object; found: number }) };
}

/** Repaired, run again and whole: every page has its one line, and no call was made. */
async function expectWhole(calls = 0, images = IMAGES): Promise<void> {
  expect((await place.run(["run", ...args], env)).code).toBe(0);
  expect((await emulator.report()).totals.calls).toBe(calls);
  const { all } = readOut(place.path("out"));
  expect(all.length).toBe(images);
  expect(new Set(all.map(({ request }) => request)).size).toBe(images);
}

const LINES = () => whole.split("\n").filter((line) => line !== "");
const DAMAGES: Record<string, { damage: () => Promise<unknown>; differences: object }> = {
  "a line that is gone, one that is there twice and figures that are wrong": {
    damage: async () => {
      // As long as it was: what lies beyond the committed length does not count.
      const all = LINES();
      const [twice = "", gone = ""] =
        all.flatMap((a) => all.flatMap((b) => (a < b && a.length === b.length ? [[a, b]] : [])))[0] ?? [];
      await writeFile(lines(), `${all.map((line) => (line === gone ? twice : line)).join("\n")}\n`);
      await redis.hincrby(`${place.env.CARDBATCH_PREFIX}:batch:b`, "found", 3);
    },
    differences: {
      "no-line": { count: 1 },
      "several-lines": { count: 1 },
      "wrong-count": { count: 1, example: "found" },
    },
  },
  "a Redis that lost everything but the answers": {
    damage: async () => {
      const names = (await allKeys(redis, place.env.CARDBATCH_PREFIX ?? "")).flat();
      await redis.unlink(...names.filter((name) => !/:(ans:.*|keyring)$/.test(name)));
    },
    differences: { "never-found": { count: IMAGES }, "no-mark": { count: IMAGES } },
  },
};

it.each(Object.entries(DAMAGES))("repairs %s", { timeout: 300_000 }, async (_, { damage, differences }) => {
  await damage();
  expect(await reconcile()).toMatchObject({ code: 1, differences });
  expect(await reconcile("--repair")).toMatchObject({ code: 0, differences: {}, repaired: differences });
  await expectWhole();
  whole = await readFile(lines(), "utf8");
});

it("enqueues what was never found, and says what it did", { timeout: 300_000 }, async () => {
  await drawArchive(place.path("archive"), 2, IMAGES);
  const { code, stderr } = await place.run(["reconcile", ...args], env);
  expect(code).toBe(1);
  expect(stderr).toContain("never-found: 2 × in the sources, and never enqueued, such as r_");
  const repaired = await place.run(["reconcile", ...args, "--repair"], env);
  expect(repaired.code, repaired.stderr).toBe(0);
  expect(repaired.stderr).toContain("2 pages enqueued again; run the batch to finish them");
  expect(repaired.stderr).toContain("22 found, 20 with their one line, 2 under way");
  await expectWhole(2, IMAGES + 2);
  expect(await reconcile()).toMatchObject({ code: 0, differences: {}, found: IMAGES + 2 });
});

it("knows no batch that there is not", { timeout: 120_000 }, async () => {
  const { code, stderr } = await place.run(["reconcile", "--batch", "nobody", "--out", "nowhere"], env);
  expect(code).toBe(2);
  expect(stderr).toContain("Redis knows no such batch");
});
