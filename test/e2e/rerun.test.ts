import { readFile, rm, writeFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { drawPng } from "../helpers/png.js";

const IMAGES = 30;
let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  env = { ...callerSettings(emulator.url).env, ...callerSettings(emulator.url, "appcode").env };
  expect((await runAgain()).code).toBe(0);
});
afterAll(() => place.close());

const run = (args: readonly string[] = [], more: Record<string, string> = {}) =>
  place.run(["run", "archive", "--provider", "huawei", "--rate", "500", "--batch", "b", "--out", "out", ...args], {
    ...env,
    ...more,
  });
const runAgain = async (args: readonly string[] = [], more: Record<string, string> = {}) => {
  await emulator.reset();
  const finished = await run(args, more);
  return { ...finished, calls: (await emulator.report()).totals.calls };
};
const outcomes = () =>
  readOut(place.path("out"))
    .all.map(({ image, outcome }) => `${image.source} ${outcome}`)
    .sort();

describe("a finished batch, run again", () => {
  it("does nothing when nothing has changed", async () => {
    const before = await readFile(place.path("out", "results.ndjson"));
    expect(await runAgain()).toMatchObject({ code: 0, calls: 0 });
    expect(await readFile(place.path("out", "results.ndjson"))).toEqual(before);
    expect(readSummary(place.path("out"))).toMatchObject({ calls: IMAGES, thisRun: { calls: 0 } });
  });

  it("judges anew without calls under another threshold, and keeps one line a request", async () => {
    expect(await runAgain([], { CARDBATCH_HUAWEI_THRESHOLD: "0.99999" })).toMatchObject({ code: 0, calls: 0 });
    expect(new Set(readOut(place.path("out")).all.map(({ outcome }) => outcome))).toEqual(new Set(["review"]));
    expect(readOut(place.path("out")).all.length).toBe(IMAGES);
    expect(await runAgain()).toMatchObject({ code: 0, calls: 0 });
    expect(readSummary(place.path("out"))).toMatchObject({ found: IMAGES, accepted: IMAGES, review: 0 });
  });

  it("asks a further provider about nothing that was accepted", async () => {
    expect(await runAgain(["--provider", "huawei,shiliuai"])).toMatchObject({ code: 0, calls: 0 });
  });

  it("writes a missing folder, and another one, from what is stored", async () => {
    const before = outcomes();
    await rm(place.path("out"), { recursive: true });
    expect(await runAgain()).toMatchObject({ code: 0, calls: 0 });
    expect(outcomes()).toEqual(before);
    await rm(place.path("out", "results.ndjson"));
    expect(await runAgain()).toMatchObject({ code: 0, calls: 0 });
    expect(outcomes()).toEqual(before);
    expect(await runAgain(["--out", "elsewhere"])).toMatchObject({ code: 0, calls: 0 });
    expect(readOut(place.path("elsewhere")).all.length).toBe(IMAGES);
  });

  it("reads a replaced file again", async () => {
    await writeFile(place.path("archive", "0000", "000003.png"), drawPng(999_999));
    expect(await runAgain()).toMatchObject({ code: 0, calls: 1 });
    expect(readOut(place.path("out")).all.length).toBe(IMAGES);
  });

  it("calls again when it is told to, once an image", async () => {
    expect(await runAgain(["--refresh"])).toMatchObject({ code: 0, calls: IMAGES });
    expect(readOut(place.path("out")).all.length).toBe(IMAGES);
  });

  it("needs no call after Redis was emptied, as long as its folder is there", async () => {
    const before = outcomes();
    await forget(place.env.CARDBATCH_PREFIX ?? "");
    const again = await runAgain();
    expect(again).toMatchObject({ code: 0, calls: 0 });
    expect(again.stderr).toContain(`${IMAGES} outcomes found`);
    expect(outcomes()).toEqual(before);
    expect(readSummary(place.path("out"))).toMatchObject({ found: IMAGES, accepted: IMAGES, thisRun: { calls: 0 } });
  });

  it("moves another batch's results aside instead of mixing them", async () => {
    const before = await readFile(place.path("out", "results.ndjson"));
    expect(await runAgain(["--batch", "c"])).toMatchObject({ code: 0 });
    expect(await readFile(place.path("out", "b", "results.ndjson"))).toEqual(before);
    expect(readOut(place.path("out")).all.every(({ batch }) => batch === "c")).toBe(true);
  });
});

async function forget(prefix: string): Promise<void> {
  const redis = new Redis(inject("redisUrl"));
  for await (const keys of redis.scanStream({ match: `${prefix.replace(/[{}]/g, "?")}*` })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
  redis.disconnect();
}
