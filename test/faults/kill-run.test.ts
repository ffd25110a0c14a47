import { afterAll, beforeAll, expect, it } from "vitest";
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
import { seededRandom } from "../helpers/random.js";

const IMAGES = IS_LONG ? 1500 : 240;
const KILLS = IS_LONG ? 10 : 4;
const CONCURRENCY = 16;
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 5);
/** Long enough for calls to be under way at every kill. */
const LATENCY_MS = 60;

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", String(LATENCY_MS)]);
});
afterAll(() => place.close());

it("comes to the same outcomes after being killed again and again", { timeout: 600_000 }, async () => {
  const random = seededRandom(SEED);
  const { provider, env } = callerSettings(emulator.url);
  const run = (out: string, batch: string) =>
    place.start(
      [
        "run",
        "archive",
        "--provider",
        provider,
        "--rate",
        "400",
        "--concurrency",
        String(CONCURRENCY),
        "--out",
        out,
        "--batch",
        batch,
      ],
      env,
    );

  let kills = 0;
  while (kills < KILLS) {
    const running = run("out", "killed");
    const left = IMAGES - (await answeredSoFar());
    await reached(Math.floor((random() * left) / (KILLS - kills)) + (await answeredSoFar()), running.done);
    running.kill("SIGKILL");
    const { signal } = await running.done;
    if (signal !== "SIGKILL") break;
    kills++;
  }
  const last = await run("out", "killed").done;
  expect(last.code, last.stderr).toBe(0);

  const { totals, images } = await emulator.report();
  const summary = readSummary(place.path("out"));
  const { all } = readOut(place.path("out"));
  console.log(
    `seed ${SEED}: ${kills} kills, ${totals.calls - IMAGES} extra calls, ${summary.uncertainCalls} uncertain`,
  );
  expect(all.length).toBe(IMAGES);
  expect(new Set(all.map(({ request }) => request)).size).toBe(IMAGES);
  expect(totals.calls - IMAGES).toBeLessThanOrEqual(kills * CONCURRENCY);
  expect(summary).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0, complete: true });
  expect(Object.keys(images).length).toBe(IMAGES);

  // The answers are stored: the same archive, undisturbed and under another name, costs nothing and says the same.
  expect((await run("out-undisturbed", "undisturbed").done).code).toBe(0);
  const says = (folder: string) =>
    readOut(place.path(folder))
      .all.map(({ image, outcome, cards }) => `${image.source} ${outcome} ${cards[0]?.number?.fingerprint}`)
      .sort();
  expect(says("out")).toEqual(says("out-undisturbed"));
  expect((await emulator.report()).totals.calls).toBe(totals.calls);
});

async function answeredSoFar(): Promise<number> {
  return (await emulator.report()).totals.answered;
}

/** Until so many calls were answered, or the run is over. */
async function reached(answered: number, over: Promise<unknown>): Promise<void> {
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  while (!isOver && (await answeredSoFar()) < answered) await new Promise((resolve) => setTimeout(resolve, 10));
}
