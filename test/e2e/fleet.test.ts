import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { drawPng } from "../helpers/png.js";

const IMAGES = 120;
let place: Place;
let emulator: RunningEmulator;
let env: Record<string, string>;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("mount-a", "scans"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "100"]);
  env = callerSettings(emulator.url).env;
});
afterAll(() => place.close());

describe("one archive, several processes", () => {
  it("comes to what run comes to, with the root at different places and a worker stopped on the way", async () => {
    await cp(place.path("mount-a"), place.path("mount-b"), { recursive: true });
    const root = (name: string) => ({ ...env, CARDBATCH_ROOTS: `archive=${place.path(name)}` });
    const workers = ["mount-a", "mount-b"].map((mount) =>
      place.start(["worker", "--provider", "huawei", "--rate", "60", "--concurrency", "8"], root(mount)),
    );
    const drain = place.start(["drain", "--batch", "fleet", "--out", "out-fleet"]);
    const enqueued = await place.run(
      ["enqueue", "mount-a/scans", "--provider", "huawei", "--batch", "fleet"],
      root("mount-a"),
    );
    expect(enqueued.code, enqueued.stderr).toBe(0);
    await answered(IMAGES / 3);
    const stopped = await stop(workers[0]);
    expect(stopped).toMatchObject({ code: 0, signal: null });

    const drained = await drain.done;
    expect(drained.code, drained.stderr).toBe(0);
    expect(await stop(workers[1])).toMatchObject({ code: 0 });

    const { totals } = await emulator.report();
    expect(totals.calls).toBe(IMAGES);
    expect(readSummary(place.path("out-fleet"))).toMatchObject({
      found: IMAGES,
      accepted: IMAGES,
      calls: IMAGES,
      uncertainCalls: 0,
    });
    const run = ["run", "mount-a/scans", "--provider", "huawei", "--batch", "alone", "--out", "out-alone"];
    expect((await place.run(run, root("mount-a"))).code).toBe(0);
    const said = (folder: string) =>
      readOut(place.path(folder))
        .all.map(({ image, outcome, cards }) => `${image.source} ${outcome} ${cards[0]?.number?.fingerprint}`)
        .sort();
    expect(said("out-fleet")).toEqual(said("out-alone"));
  });

  it("keeps two runs at once apart", async () => {
    await drawArchiveOf(["left", "right"]);
    const runs = ["left", "right"].map((name) =>
      place.run(["run", name, "--provider", "huawei", "--rate", "100", "--out", `out-${name}`, "--batch", name], env),
    );
    for (const { code, stderr } of await Promise.all(runs)) expect(code, stderr).toBe(0);
    for (const name of ["left", "right"]) {
      const sources = readOut(place.path(`out-${name}`)).all.map(({ image, batch }) => `${batch}:${image.source}`);
      expect(sources.sort()).toEqual(
        Array.from({ length: 40 }, (_, i) => `${name}:${name}-${String(i).padStart(2, "0")}.png`),
      );
    }
  });

  it("lets only one run of a batch live, and only one write a folder or a destination's outcomes", async () => {
    await drawArchiveOf(["busy"]);
    const args = (out: string, batch: string) => [
      "run",
      "busy",
      "--provider",
      "huawei",
      "--rate",
      "5",
      "--out",
      out,
      "--batch",
      batch,
      "--refresh",
    ];
    const first = place.start(args("out-busy", "busy"), env);
    await written(first, "calls/s; Redis");
    await answered((await emulator.report()).totals.answered + 1);
    const sameBatch = await place.run(args("out-other", "busy"), env);
    expect(sameBatch).toMatchObject({ code: 2 });
    expect(sameBatch.stderr).toContain("another run of it is live");
    const sameFolder = await place.run(args("out-busy", "busy-too"), env);
    expect(sameFolder).toMatchObject({ code: 2 });
    expect(sameFolder.stderr).toContain("another process is writing there");
    const sameDestination = await place.run([...args("out-third", "busy-three"), "--destination", "busy"], env);
    expect(sameDestination).toMatchObject({ code: 2 });
    expect(sameDestination.stderr).toContain("another process writes its outcomes");
    first.kill("SIGINT");
    expect((await first.done).code).toBe(130);
  });

  it("refuses another keyring than the one in use, and writes nothing", async () => {
    const other = { ...env, CARDBATCH_KEYRING: place.path("other-keyring.json") };
    expect((await place.run(["keys", "init"], other)).code).toBe(0);
    const { code, stderr } = await place.run(["run", "left", "--provider", "huawei", "--out", "out-foreign"], other);
    expect(code).toBe(3);
    expect(stderr).toContain("other-keyring.json");
  });
});

async function drawArchiveOf(names: readonly string[]): Promise<void> {
  for (const [n, name] of names.entries()) {
    await mkdir(place.path(name), { recursive: true });
    for (let i = 0; i < 40; i++) {
      await writeFile(
        join(place.path(name), `${name}-${String(i).padStart(2, "0")}.png`),
        drawPng(100_000 * (n + 1) + i),
      );
    }
  }
}

function stop(running: Running | undefined) {
  running?.kill("SIGTERM");
  return running?.done;
}

async function answered(count: number): Promise<void> {
  while ((await emulator.report()).totals.answered < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function written(running: Running, text: string): Promise<void> {
  while (!running.stderr().includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
}
