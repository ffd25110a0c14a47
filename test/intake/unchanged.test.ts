import { rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Batch } from "../../src/domain/batch.js";
import { factsOf } from "../../src/image/file-facts.js";
import { openImage } from "../../src/image/open-image.js";
import { feed } from "../../src/intake/feed.js";
import { openSource } from "../../src/intake/open-source.js";
import { openFileMarks } from "../../src/queue/file-marks.js";
import { drawArchive, IS_LONG } from "../helpers/cli.js";
import { drawPng } from "../helpers/png.js";
import { openTestRedis } from "../helpers/redis.js";
import { addFiles, tempFolder } from "../helpers/temp-folder.js";

const { redis, keys } = openTestRedis();
const LONG_AGO = new Date("2020-01-01T00:00:00.123Z");

/** A nightly reading of a folder, with everything real but the queue; every opening of a file is counted. */
function openNight(batch: string, folder: string) {
  const run = async ({ generation = "0", fails = false, limit = null as number | null } = {}) => {
    const opened: string[] = [];
    const marks = await openFileMarks(redis, keys, batch, generation);
    const progress = await feed(
      {
        batch: { name: batch } as Batch,
        sources: [await openSource(folder, { roots: new Map(), encoding: "utf-8" })],
        roots: new Map(),
        priority: "batch",
        concurrency: 8,
        mostWaiting: 1000,
        limit,
      },
      {
        readFacts: async (path, root) => {
          opened.push(path.slice(folder.length + 1));
          return factsOf(openImage(path, { root }));
        },
        admit: async (pages) => pages.map(() => true),
        enqueue: async () => {},
        fail: async () => {},
        backlog: async () => 0,
        digestName: (name) => name,
        sealReference: async () => null,
        onProgress: () => {},
        sleep: async () => {},
        marks,
      },
      AbortSignal.timeout(600_000),
    );
    if (!fails) await marks.keep();
    expect(progress).toMatchObject({ waiting: false });
    return { opened: opened.sort(), unchanged: progress.unchanged };
  };
  return run;
}

async function folderOf(names: readonly string[]): Promise<string> {
  const folder = tempFolder(Object.fromEntries(names.map((name, i) => [name, drawPng(i)])));
  for (const name of names) await utimes(join(folder, name), LONG_AGO, LONG_AGO);
  return folder;
}

test("of an archive that is as it was nothing is opened, and of what is new nothing else", {
  timeout: 1800_000,
}, async () => {
  const files = IS_LONG ? 200_000 : 3000;
  const folder = tempFolder();
  await drawArchive(folder, files);
  // What was written within the grain of the file system's clock is opened once more.
  const drawnAtMs = Date.now();
  await expect.poll(Date.now).toBeGreaterThan(drawnAtMs + 50);
  const run = openNight("archive", folder);
  expect((await run()).opened.length).toBe(files);
  const startedAt = performance.now();
  expect(await run()).toEqual({ opened: [], unchanged: files });
  const seconds = (performance.now() - startedAt) / 1000;
  await drawArchive(folder, 100, files);
  const third = await run();
  expect(third).toMatchObject({ unchanged: files });
  expect(third.opened.length).toBe(100);
  const bytes = await weigh("archive");
  console.log(
    `${files} unchanged files in ${seconds.toFixed(1)} s; marks: ${(bytes / (files + 100)).toFixed(1)} B a file`,
  );
  if (IS_LONG) expect(bytes / files).toBeLessThan(32);
});

test.each([
  [
    "its bytes, although its time is the same",
    async (file: string) => {
      await writeFile(file, drawPng(99, 24));
      await utimes(file, LONG_AGO, LONG_AGO);
    },
  ],
  ["only the time of its change", (file: string) => utimes(file, LONG_AGO, new Date("2020-01-02T00:00:00Z"))],
  [
    "its inode: another file of the same size and time took its place",
    async (file: string) => {
      await writeFile(`${file}.new`, drawPng(98));
      await utimes(`${file}.new`, LONG_AGO, LONG_AGO);
      await rename(`${file}.new`, file);
    },
  ],
])("what is changed is opened: %s", async (what, change) => {
  const folder = await folderOf(["a.png", "b.png"]);
  const run = openNight(`changed-${what.length}`, folder);
  expect((await run()).opened).toEqual(["a.png", "b.png"]);
  await change(join(folder, "b.png"));
  expect(await run()).toEqual({ opened: ["b.png"], unchanged: 1 });
  expect(await run()).toEqual({ opened: [], unchanged: 2 });
});

test("what a run has read counts only when it succeeds", async () => {
  const run = openNight("fails", await folderOf(["a.png", "b.png"]));
  await run({ limit: 1 });
  expect((await run({ fails: true })).opened.length).toBe(1);
  expect(await run()).toMatchObject({ unchanged: 1, opened: { length: 1 } });
  expect(await run()).toEqual({ opened: [], unchanged: 2 });
});

test("a batch that is judged anew has every file opened", async () => {
  const run = openNight("anew", await folderOf(["a.png", "b.png"]));
  await run();
  expect((await run({ generation: "1" })).opened.length).toBe(2);
  expect((await run({ generation: "1" })).opened).toEqual([]);
});

test("what was written a moment ago, or cannot be read, is opened again", async () => {
  const folder = await folderOf(["a.png"]);
  addFiles(folder, { "empty.png": "", notes: "no image at all" });
  await utimes(join(folder, "empty.png"), LONG_AGO, LONG_AGO);
  await utimes(join(folder, "notes"), LONG_AGO, LONG_AGO);
  const run = openNight("moment", folder);
  await run();
  const later = new Date(Date.now() + 60_000);
  await utimes(join(folder, "a.png"), later, later);
  expect((await run()).opened).toEqual(["a.png", "empty.png"]);
  expect(await run()).toEqual({ opened: ["a.png", "empty.png"], unchanged: 1 });
});

/** What the marks of a batch's files take up. @unit bytes */
async function weigh(batch: string): Promise<number> {
  let bytes = 0;
  for (let bucket = 0; bucket < 4096; bucket += 256) {
    const pipeline = redis.pipeline();
    for (let i = bucket; i < bucket + 256; i++) pipeline.memory("USAGE", keys.files(batch, i));
    for (const [, used] of (await pipeline.exec()) ?? []) bytes += Number(used ?? 0);
  }
  return bytes;
}
