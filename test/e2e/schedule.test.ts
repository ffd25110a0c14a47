import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NightReport } from "../../src/app/nightly.js";
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

const IMAGES = IS_LONG ? 200_000 : 300;
const COUNTER = fileURLToPath(new URL("../helpers/count-opens.mjs", import.meta.url));
let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
  env = callerSettings(emulator.url).env;
}, 3600_000);
afterAll(() => place.close(), 600_000);

const OPTIONS = ["--tz", "Asia/Shanghai", "--provider", "huawei", "--rate", "10000"];

async function add(name: string, args: readonly string[], more: Record<string, string> = {}) {
  const added = await place.run(
    ["schedule", "add", ...OPTIONS, "--batch", name, "--out", `out-${name}`, "--json", ...args],
    {
      ...env,
      ...more,
    },
  );
  expect(added.code, added.stderr).toBe(0);
  return JSON.parse(added.stdout) as { next: string; webhookSecret: string | null };
}

const reports = (name: string): NightReport[] => {
  const path = place.path(`out-${name}`, "schedule.ndjson");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as NightReport]));
};

/** Runs a schedule in a process that has each file counted that it opens in the archive. */
async function runNow(name: string, args: readonly string[] = []) {
  await emulator.reset();
  const to = place.path("opens");
  rmSync(to, { force: true });
  const finished = await place.run(["schedule", "run-now", name, "--json", ...args], {
    ...env,
    NODE_OPTIONS: `--import ${COUNTER}`,
    COUNT_OPENS_BELOW: place.path("archive"),
    COUNT_OPENS_TO: to,
  });
  expect(finished.code, finished.stderr).toBe(0);
  const opens = existsSync(to) ? readFileSync(to, "utf8").split("\n").length - 1 : 0;
  return { ...(JSON.parse(finished.stdout) as NightReport), opens, atVendor: (await emulator.report()).totals.calls };
}

it("reads an archive once; the second run opens nothing, and a hundred new files cost a hundred calls", {
  timeout: 3600_000,
}, async () => {
  const { next } = await add("archive", ["--source", "archive", "--cron", "0 2 * * *"]);
  expect(new Date(next).getUTCHours()).toBe(18);

  const first = await runNow("archive");
  // Where a machine stands still for long, calls run out of time and are made again.
  const again = first.summary?.uncertainCalls ?? 0;
  expect(first).toMatchObject({ result: "succeeded", opened: IMAGES });
  expect(first.atVendor).toBeGreaterThanOrEqual(IMAGES);
  expect(first.atVendor).toBeLessThanOrEqual(IMAGES + again);
  const startedAt = performance.now();
  const second = await runNow("archive");
  console.log(
    `${IMAGES} unchanged files: ${((performance.now() - startedAt) / 1000).toFixed(1)} s, ${second.opens} opened`,
  );
  expect(second).toMatchObject({ result: "succeeded", opened: 0, opens: 0, unchanged: IMAGES, atVendor: 0 });

  await drawArchive(place.path("archive"), 100, IMAGES);
  const third = await runNow("archive");
  expect(third).toMatchObject({ opened: 100, unchanged: IMAGES, calls: 100, atVendor: 100 });
  // The feeder and the worker each open what they read, and nothing else.
  expect(third.opens).toBe(200);
  expect(readOut(place.path("out-archive")).all.length).toBe(IMAGES + 100);
  expect(reports("archive").map(({ calls }) => calls)).toEqual([first.calls, 0, 100]);

  if (!IS_LONG) {
    expect(await runNow("archive", ["--rehash"])).toMatchObject({ opened: IMAGES + 100, unchanged: 0, atVendor: 0 });
  }
  const removed = await place.run(["schedule", "remove", "archive"], env);
  expect(removed.code, removed.stderr).toBe(0);
  expect((await place.run(["schedule", "run-now", "archive"], env)).code).toBe(2);
});

it("runs when it is due, in one of two workers, goes on when that is killed, and tells a webhook", {
  timeout: 120_000,
}, async () => {
  const told: { headers: IncomingMessage["headers"]; body: string }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    told.push({ headers: request.headers, body });
    response.end();
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address() as AddressInfo;
  const allow = { CARDBATCH_WEBHOOK_ALLOW: "127.0.0.1" };
  const work = () => place.start(["worker", "--provider", "huawei", "--rate", "500"], { ...env, ...allow });
  const workers = [work(), work()];
  await Promise.all(workers.map(({ stderr }) => expect.poll(stderr, { timeout: 60_000 }).toContain("working")));

  await drawArchive(place.path("inbox"), 30, 900_000);
  const webhook = ["--webhook", `http://127.0.0.1:${port}/night`];
  const { webhookSecret } = await add("inbox", ["--source", "inbox", "--cron", "*/2 * * * * *", ...webhook], allow);
  expect(webhookSecret).toMatch(/^whsec_/);
  await expect.poll(() => reports("inbox").length, { timeout: 60_000 }).toBeGreaterThan(0);
  workers[0]?.kill("SIGKILL");
  await drawArchive(place.path("inbox"), 5, 900_030);
  const hasAll = () => reports("inbox").reduce((sum, { calls }) => sum + calls, 0) === 35;
  await expect.poll(hasAll, { timeout: 60_000 }).toBe(true);

  const listed = JSON.parse((await place.run(["schedule", "list", "--json"], env)).stdout);
  expect(listed.schedules).toMatchObject([{ schedule: "inbox", late: false, last: { result: "succeeded" } }]);
  await place.run(["schedule", "remove", "inbox"], env);
  for (const worker of workers) worker.kill("SIGTERM");
  await Promise.all(workers.map(({ done }) => done));
  receiver.close();

  // Also of the one whose worker was killed when its report had been written.
  const runs = reports("inbox").map(({ run }) => run);
  expect(new Set(runs).size).toBe(runs.length);
  expect(readOut(place.path("out-inbox")).all.length).toBe(35);
  expect(told.length).toBeGreaterThan(0);
  expect(JSON.parse(told[0]?.body ?? "")).toMatchObject({ type: "schedule.finished", data: { schedule: "inbox" } });
  expect(told[0]?.headers).toMatchObject({
    "webhook-id": expect.stringMatching(/^msg_/),
    "webhook-signature": expect.stringMatching(/^v1,/),
  });
});

it.each([
  ["a cron that is none", ["--cron", "tonight", "--source", "archive"], 2, "--cron"],
  ["a zone that is none", ["--cron", "0 2 * * *", "--source", "archive", "--tz", "Mars/Olympus"], 2, "--tz"],
  ["a source that is missing", ["--cron", "0 2 * * *", "--source", "nowhere"], 2, "no such file"],
  ["paying for all each night", ["--cron", "0 2 * * *", "--source", "archive", "--refresh"], 2, "--refresh"],
  [
    "a webhook that leads inside",
    ["--cron", "0 2 * * *", "--source", "archive", "--webhook", "https://127.0.0.1/"],
    2,
    "--webhook",
  ],
])("refuses %s", async (_what, args, code, said) => {
  const added = await place.run(["schedule", "add", ...OPTIONS, "--out", "out-none", ...args], env);
  expect(added.code).toBe(code);
  expect(added.stderr).toContain(said);
});
