import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { countFailuresByCode, retryFailures } from "../../src/app/failures.js";
import { cancelBatch, pauseBatch, resumeBatch } from "../../src/app/operate.js";
import { readStatus } from "../../src/app/status.js";
import { type App, openApp } from "../../src/app.js";
import { loadConfig } from "../../src/config/load-config.js";
import { UsageError } from "../../src/domain/errors.js";
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

const IMAGES = 300;
/** Slow enough for a command to come in between on a busy machine. */
const RATE = "5";
let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;
/** What the commands do, without starting a process each time. */
let app: App;
beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "100"]);
  env = callerSettings(emulator.url).env;
  const silent = { report: () => {}, writeLog: () => {}, prettyLog: false, color: false };
  const surroundings = { env: place.env, packageRoot: place.folder, version: "test", ...silent };
  app = await openApp(loadConfig(place.env, undefined), surroundings, new AbortController().signal);
});
afterAll(async () => {
  await app.close();
  await place.close();
});

const calls = async () => (await emulator.report()).totals.calls;
const batchOptions = (batch: string) => ["--provider", "huawei", "--batch", batch];
const counts = async (batch: string) => (await readStatus(app, batch)).batches[0]?.counts;
const queue = async () => (await readStatus(app, null)).images;
const json = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await place.run([...args, "--json"], env);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

/** A fleet that works on a batch: a worker, and a drain until it is complete or cancelled. */
function startFleet(batch: string) {
  const worker = place.start(["worker", "--provider", "huawei", "--rate", RATE, "--concurrency", "8"], env);
  const drain = place.start(["drain", "--batch", batch, "--out", batch], env);
  return { worker, drain };
}

it("pauses, resumes and cancels a batch of a running fleet", { timeout: 300_000 }, async () => {
  expect((await place.run(["enqueue", "archive", ...batchOptions("b")], env)).code).toBe(0);
  const { worker, drain } = startFleet("b");
  await expect.poll(calls, { timeout: 60_000 }).toBeGreaterThan(3);

  expect(await json("pause", "--batch", "b")).toMatchObject({ halt: "paused", found: IMAGES });
  const paused = await calls();
  expect(paused).toBeLessThan(IMAGES);
  // Workers put every job of a paused batch to sleep: none is left that could call.
  await expect.poll(queue, { timeout: 60_000 }).toMatchObject({ waiting: 0, active: 0 });
  expect(await calls()).toBeLessThanOrEqual(paused + 1);
  expect(await counts("b")).toMatchObject({ halt: "paused" });

  expect(await resumeBatch(app, "b")).toMatchObject({ before: "paused", halt: null });
  await expect.poll(calls, { timeout: 60_000 }).toBeGreaterThan(paused + 3);

  expect(await json("cancel", "--batch", "b")).toMatchObject({ halt: "cancelled" });
  const cancelled = await calls();
  const drained = await drain.done;
  expect(drained.code, drained.stderr).toBe(130);
  expect(await calls()).toBeLessThanOrEqual(cancelled + 1);
  const { found, accepted, pending } = readSummary(place.path("b"));
  expect({ found, sum: accepted + pending }).toEqual({ found: IMAGES, sum: IMAGES });
  expect(readOut(place.path("b")).all.length).toBe(accepted);
  await expect.poll(queue, { timeout: 60_000 }).toMatchObject({ waiting: 0, active: 0 });
  await expect(resumeBatch(app, "b")).rejects.toThrow(UsageError);
  worker.kill("SIGTERM");
  await worker.done;

  const again = await place.run(["run", "archive", ...batchOptions("b"), "--rate", "500", "--out", "b"], env);
  expect(again.code, again.stderr).toBe(0);
  expect(readSummary(place.path("b"))).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0, calls: IMAGES });
});

it("ends a run whose batch is cancelled elsewhere", { timeout: 300_000 }, async () => {
  await drawArchive(place.path("other"), IMAGES, 1000);
  const running = place.start(["run", "other", ...batchOptions("c"), "--rate", RATE, "--out", "c"], env);
  await expect.poll(async () => (await counts("c"))?.outcomes.accepted, { timeout: 60_000 }).toBeGreaterThan(2);
  await cancelBatch(app, "c");
  const finished = await running.done;
  expect(finished.code, finished.stderr).toBe(130);
  expect(finished.stderr).toContain("cancelled");
  const { found, accepted, pending } = readSummary(place.path("c"));
  expect(accepted).toBeGreaterThan(0);
  expect(accepted + pending).toBe(found);
});

it("tells failures by code, and tries those of one code again with the files as they are", {
  timeout: 300_000,
}, async () => {
  const file = (i: number) => place.path("faulty", "0020", `00${2000 + i}.png`);
  await drawArchive(place.path("faulty"), 12, 2000);
  await writeFile(file(0), "no image at all, whatever its name says");
  await writeFile(file(1), "");
  await emulator.setFaults({
    rules: [{ times: 2, do: { kind: "error-body", status: 400, code: "AIS.0103" } }],
  });
  const run = () => place.run(["run", "faulty", ...batchOptions("f"), "--rate", "500", "--out", "f"], env);
  const first = await run();
  expect(first.code, first.stderr).toBe(1);
  const { codes, failed } = await countFailuresByCode(app, "f");
  expect(failed).toBe(4);
  const byCode = Object.fromEntries(codes.map((its) => [its.code, its.count]));
  expect(byCode).toEqual({ "provider-refused-image": 2, "image-empty": 1, "image-unsupported": 1 });
  expect((await place.run(["failures"], env)).stdout).toContain("what to do: use JPEG, PNG, BMP, TIFF or WebP");

  expect(await retryFailures(app, "f", ["image-corrupt"])).toMatchObject({ retried: 0 });
  await writeFile(file(0), drawPng(9000));
  await writeFile(file(1), drawPng(9001));
  const codesToRetry = "image-empty,image-unsupported";
  expect(await json("retry", "--batch", "f", "--code", codesToRetry)).toMatchObject({ retried: 2, underWay: 0 });
  expect(await retryFailures(app, "f", ["image-empty"])).toMatchObject({ retried: 0, underWay: 1 });
  expect((await run()).code).toBe(1);
  expect(readSummary(place.path("f"))).toMatchObject({ found: 12, accepted: 10, failed: 2, pending: 0 });

  // A refusal is an answer that is kept, and is asked for again only when somebody says so.
  expect(await retryFailures(app, "f", null)).toMatchObject({ retried: 2 });
  expect((await run()).code).toBe(0);
  expect(readSummary(place.path("f"))).toMatchObject({ found: 12, accepted: 12, failed: 0, calls: 14 });
  expect(readOut(place.path("f")).all.length).toBe(12);
  expect(await json("failures")).toEqual({ schema: 1, batches: [] });
});

it("refuses what is no batch and no code", { timeout: 300_000 }, async () => {
  for (const act of [pauseBatch, resumeBatch, cancelBatch, countFailuresByCode]) {
    await expect(act(app, "nobody")).rejects.toThrow(UsageError);
  }
  expect((await place.run(["pause", "--batch", "nobody"], env)).code).toBe(2);
  const retried = await place.run(["retry", "--batch", "b", "--code", "bad-luck"], env);
  expect(retried).toMatchObject({ code: 2, stderr: expect.stringContaining("bad-luck is no code") });
});
