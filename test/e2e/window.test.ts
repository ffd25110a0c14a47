import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";

const IMAGES = 30;

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
  env = caller.env;
  args = ["--provider", caller.provider, "--rate", "500", "--batch", "night"];
});
afterAll(() => place.close());

const calls = async () => (await emulator.report()).totals.calls;

/** Two hours from now for an hour, by the clock of Shanghai. */
function closedWindow(): { window: string; opens: string } {
  const clock = new Intl.DateTimeFormat("en", { timeZone: "Asia/Shanghai", hour: "2-digit", hourCycle: "h23" });
  const hour = (Number(clock.format(Date.now())) + 2) % 24;
  const text = (at: number) => `${String(at % 24).padStart(2, "0")}:00`;
  return { window: `${text(hour)}-${text(hour + 1)}`, opens: text(hour) };
}

it("starts nothing outside the window, in no process, and goes on at once without it", {
  timeout: 240_000,
}, async () => {
  const { window, opens } = closedWindow();
  const worker = place.start(["worker", "--provider", "huawei", "--rate", "500"], env);
  const closed = [...args, "--window", window, "--tz", "Asia/Shanghai"];
  const running = place.start(["run", "archive", ...closed, "--out", "out"], env);
  await expect.poll(running.stderr, { timeout: 60_000 }).toContain(`outside the window until ${opens} (Asia/Shanghai)`);
  await expect.poll(worker.stderr, { timeout: 60_000 }).toContain("working");
  running.kill("SIGINT");
  expect((await running.done).code).toBe(130);
  expect(await calls()).toBe(0);

  // Nothing is said of a window: the batch keeps its own.
  const kept = place.start(["run", "archive", ...args, "--out", "out"], env);
  await expect.poll(kept.stderr, { timeout: 60_000 }).toContain("outside the window");
  kept.kill("SIGINT");
  await kept.done;
  expect(await calls()).toBe(0);

  const opened = await place.run(["run", "archive", ...args, "--out", "out", "--window", "none", "--json"], env);
  expect(opened.code, opened.stderr).toBe(0);
  expect(JSON.parse(opened.stdout)).toMatchObject({ accepted: IMAGES, calls: IMAGES, complete: true });
  worker.kill("SIGTERM");
  expect((await worker.done).code).toBe(0);
});
