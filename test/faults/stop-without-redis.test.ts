import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callerSettings, drawArchive, openPlace, type Place, readOut, startEmulator } from "../helpers/cli.js";
import { type RedisServer, startRedisServer } from "../helpers/redis-server.js";

const IMAGES = 60;
/** Two signals that come closer together are one. */
const APART_MS = 500;

let place: Place;
let server: RedisServer;

beforeAll(async () => {
  server = await startRedisServer();
  place = openPlace(server.url);
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
});
afterAll(async () => {
  await place.close();
  await server.close();
});

it("whoever is told twice to stop does not wait for a Redis that is away, and loses nothing", {
  timeout: 60_000,
}, async () => {
  const emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "200"]);
  const { provider, env } = callerSettings(emulator.url);
  const run = () => place.start(["run", "archive", "--provider", provider, "--rate", "20", "--out", "out"], env);
  const first = run();
  await expect.poll(async () => (await emulator.report()).totals.answered, { timeout: 20_000 }).toBeGreaterThan(5);
  await server.kill();
  await expect.poll(first.stderr, { timeout: 10_000 }).toContain("Redis cannot be reached");
  first.kill("SIGTERM");
  await sleep(APART_MS);
  first.kill("SIGTERM");
  const { code, stderr } = await first.done;
  expect(code, stderr).toBe(130);

  await server.start();
  const second = await run().done;
  expect(second.code, second.stderr).toBe(0);
  expect(new Set(readOut(place.path("out")).results.map(({ request }) => request)).size).toBe(IMAGES);
});
