import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createBuckets } from "../../src/app/buckets.js";
import { openSources } from "../../src/app/feeding.js";
import type { NightReport } from "../../src/app/nightly.js";
import { loadConfig } from "../../src/config/load-config.js";
import { UsageError } from "../../src/domain/errors.js";
import { describeSource } from "../contract/source-contract.js";
import { callerSettings, openPlace, type Place, type RunningEmulator, readOut, startEmulator } from "../helpers/cli.js";
import { collect } from "../helpers/collect.js";
import { drawPng } from "../helpers/png.js";
import { S3_KEYS, type S3Server, startS3Server } from "../helpers/s3-server.js";

const NEVER = new AbortController().signal;
let server: S3Server;
let settings: Record<string, string>;
beforeAll(async () => {
  server = await startS3Server("path");
  settings = {
    CARDBATCH_S3_ENDPOINT: server.origin,
    CARDBATCH_S3_ADDRESSING: "path",
    CARDBATCH_S3_REGION: S3_KEYS.region,
    CARDBATCH_S3_ACCESS_KEY: S3_KEYS.accessKey,
    CARDBATCH_S3_SECRET_KEY: S3_KEYS.secretKey,
  };
});
afterAll(() => server.stop());

function put(folder: string, ...keys: readonly string[]): void {
  for (const key of keys) server.objects.set(`results/${folder}/${key}`, drawPng(keys.indexOf(key)));
}
const open = async (url: string, more: Record<string, string> = {}) => {
  const { sources } = await openSources(loadConfig({ ...settings, ...more }, undefined), [url], "utf-8");
  const [source] = sources;
  if (source === undefined) throw new Error("no source");
  return source;
};
const NAMES = ["a.jpg", "2019/b & c.PNG", "2019/卡片 (1).jpg", "2020/d+e", "x'y\".tif"];

describeSource("s3", async () => {
  put("scans", ...NAMES, "notes.txt", ".hidden/z.jpg", "2019/");
  put("scans-of-others", "no.jpg");
  return {
    source: await open("s3://results/scans"),
    sameSource: await open("s3://results/scans/"),
    otherSource: await open("s3://results/scans-of-others"),
    names: NAMES,
    ignored: 2,
  };
});

test("a key that is no path is that image's problem", async () => {
  put("odd", "../up.jpg", "a//b.jpg", "good.jpg");
  const all = await collect((await open("s3://results/odd")).list(() => {}, NEVER));
  expect(all.map(({ source, problem }) => [source, problem?.code ?? null])).toEqual([
    ["../up.jpg", "image-reference"],
    ["a//b.jpg", "image-reference"],
    ["good.jpg", null],
  ]);
});

describe("what the store says", () => {
  test.each([
    ["/s3:/results/nothing.jpg", "image-not-found", {}],
    ["/s3:/elsewhere/a.jpg", "image-not-found", {}],
    ["/s3:/results/empty.jpg", "image-empty", {}],
    ["/s3:/results", "image-reference", {}],
    ["/s3:/results/a.jpg", "image-unreadable", { CARDBATCH_S3_SECRET_KEY: "wrong" }],
    ["/s3:/results/a.jpg", "storage-unavailable", { CARDBATCH_S3_ENDPOINT: "http://127.0.0.1:1" }],
  ])("of %s is told as %s", async (path, code, more) => {
    server.objects.set("results/empty.jpg", Buffer.alloc(0));
    const buckets = createBuckets(loadConfig({ ...settings, ...more }, undefined));
    onTestFinished(() => buckets.close());
    await expect(buckets.read(path, NEVER)).rejects.toMatchObject({ code });
  });

  test("of a bucket that it does not list ends the listing", async () => {
    const source = await open("s3://elsewhere/scans");
    await expect(collect(source.list(() => {}, NEVER))).rejects.toThrow("404 NoSuchBucket");
    await expect(open("s3://x")).rejects.toThrow(UsageError);
  });
});

describe("a run over a bucket", () => {
  let place: Place;
  let emulator: RunningEmulator;
  beforeAll(async () => {
    place = openPlace();
    await place.run(["keys", "init"]);
    emulator = await startEmulator(place);
  });
  afterAll(() => place.close());

  test("reads its images, by the bucket's name or a root's, and once", async () => {
    put("archive", "2019/a.png", "2019/b.png", "c.png", "notes.txt");
    const env = { ...settings, ...callerSettings(emulator.url).env };
    const args = ["--provider", "huawei", "--rate", "500", "--out", "out", "--batch"];
    const first = await place.run(["run", "s3://results/archive", ...args, "a"], env);
    expect(first.code, first.stderr).toBe(0);
    const names = readOut(place.path("out")).all.map(({ image }) => image.source);
    expect(names.toSorted()).toEqual(["2019/a.png", "2019/b.png", "c.png"]);
    const roots = { CARDBATCH_ROOTS: "archive=s3://results/archive" };
    const second = await place.run(["run", "s3://results/archive/2019", ...args, "b"], { ...env, ...roots });
    expect(second.code, second.stderr).toBe(0);
    expect(
      readOut(place.path("out"))
        .all.map(({ image }) => image.source)
        .toSorted(),
    ).toEqual(["a.png", "b.png"]);
    expect((await emulator.report()).totals.calls).toBe(3);
  });

  test("of a schedule gets only what is new or changed", async () => {
    put("nightly", "a.png", "b.png", "c.png");
    const env = { ...settings, ...callerSettings(emulator.url).env };
    const args = [
      "--cron",
      "0 2 * * *",
      "--provider",
      "huawei",
      "--rate",
      "500",
      "--out",
      "nights",
      "--batch",
      "nights",
    ];
    const added = await place.run(["schedule", "add", "--source", "s3://results/nightly", ...args], env);
    expect(added.code, added.stderr).toBe(0);
    const night = async () => {
      const before = server.read.length;
      const finished = await place.run(["schedule", "run-now", "nights", "--json"], env);
      expect(finished.code, finished.stderr).toBe(0);
      const { opened, unchanged } = JSON.parse(finished.stdout) as NightReport;
      return { opened, unchanged, read: new Set(server.read.slice(before)) };
    };
    expect(await night()).toMatchObject({ opened: 3, unchanged: 0 });
    expect(await night()).toEqual({ opened: 0, unchanged: 3, read: new Set() });
    server.objects.set("results/nightly/b.png", drawPng(70));
    server.objects.set("results/nightly/d.png", drawPng(71));
    const changed = new Set(["results/nightly/b.png", "results/nightly/d.png"]);
    expect(await night()).toEqual({ opened: 2, unchanged: 2, read: changed });
  });
});
