import { realpathSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { requestOf } from "../../src/recognition/resolve-reference.js";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { drawPng } from "../helpers/png.js";

const IMAGES = IS_LONG ? 1000 : 120;
const MOST_DEATHS = 3;
const BATCH = "poisoned";

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES - 1);
  // A format that no vendor takes has to be decoded: there it kills.
  await writeFile(place.path("archive", "poison.webp"), await sharp(drawPng(-7, 32)).webp().toBuffer());
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
});
afterAll(() => place.close());

it("fails the one image that kills whoever decodes it, after three deaths, and reads the rest", {
  timeout: 300_000,
}, async () => {
  const { provider, env } = callerSettings(emulator.url, "appcode");
  const path = realpathSync(place.path("archive", "poison.webp"));
  const poison = requestOf(BATCH, { path }, 0, null, { digestName: (name) => name });
  const run = () =>
    place.run(["run", "archive", "--provider", provider, "--rate", "200", "--batch", BATCH, "--out", "out"], {
      ...env,
      CARDBATCH_KILL_AT: `decoding@${poison}`,
    });
  let deaths = 0;
  let last = await run();
  for (; last.signal === "SIGKILL" && deaths <= MOST_DEATHS; deaths++) last = await run();

  expect(last.code, last.stderr).toBe(1);
  expect(deaths).toBe(MOST_DEATHS);
  const { results, failures } = readOut(place.path("out"));
  expect(failures).toMatchObject([{ request: poison, outcome: "failed", code: "worker-crashed" }]);
  expect(new Set(results.map(({ request }) => request)).size).toBe(IMAGES - 1);
  expect(readSummary(place.path("out"))).toMatchObject({ found: IMAGES, accepted: IMAGES - 1, failed: 1, pending: 0 });
  console.log(`${IMAGES} images: ${deaths} deaths, ${results.length} read, ${failures.length} failed`);
});
