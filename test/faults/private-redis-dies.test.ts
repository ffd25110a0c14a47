import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stopPrivateRedis } from "../../src/bootstrap/private-redis.js";
import { pidOf } from "../../src/bootstrap/process-mark.mjs";
import { readState } from "../../src/bootstrap/server-state.js";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  startEmulator,
} from "../helpers/cli.js";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
/** Installed in a package folder, it keeps its private Redis in the user's own cache, apart from this checkout's. */
const INSTALLED = "node_modules/cardbatch";
const AS_INSTALLED = { NODE_OPTIONS: "--preserve-symlinks --preserve-symlinks-main" };
const IMAGES = 100;
const RATE = 20;

let place: Place;
let emulator: RunningEmulator;
let dataFolder: string;

beforeAll(async () => {
  place = openPlace(null, (folder) => join(folder, INSTALLED, "dist/cli/main.js"));
  const cache = place.path("home/.cache/cardbatch");
  dataFolder = join(cache, "redis-data");
  for (const folder of [cache, place.path("node_modules")]) mkdirSync(folder, { recursive: true });
  symlinkSync(PROJECT, place.path(INSTALLED));
  symlinkSync(join(PROJECT, ".cache/redis"), join(cache, "redis"));
  await drawArchive(place.path("archive"), IMAGES);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "200"]);
});
afterAll(async () => {
  await stopPrivateRedis(dataFolder, AbortSignal.timeout(20_000));
  await place.close();
});

it("a run brings its own Redis back, and goes on with it", { timeout: 120_000 }, async () => {
  const { provider, env } = callerSettings(emulator.url);
  const run = place.start(["run", "archive", "--provider", provider, "--rate", String(RATE), "--out", "out"], {
    ...env,
    ...AS_INSTALLED,
  });
  while ((await emulator.report()).totals.answered < IMAGES / 4) {
    if (run.child.exitCode !== null) throw new Error(run.stderr());
    await sleep(50);
  }
  process.kill(pidOf(readState(dataFolder)?.server ?? ""), "SIGKILL");
  const { code, stderr } = await run.done;
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/the private Redis is gone; starting it again/);
  const { results } = readOut(place.path("out"));
  expect(new Set(results.map(({ request }) => request)).size).toBe(IMAGES);
  expect((await emulator.report()).totals.calls).toBe(IMAGES);
});
