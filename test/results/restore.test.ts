import { describe, expect, test } from "vitest";
import type { Outcome } from "../../src/domain/reading.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { restoreFromFiles } from "../../src/results/restore.js";
import { openFilesIn } from "../helpers/open-files.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

const at = (minute: number) => `2026-11-22T08:${String(minute).padStart(2, "0")}:00.000Z`;
const finished = (name: string, outcome: Outcome, minute: number) =>
  recordOf("b", name, outcome, { finishedAt: at(minute) });
const toText = (records: readonly OutcomeRecord[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

async function restore(files: Record<string, string>) {
  const folder = tempFolder(files);
  const taken: OutcomeRecord[] = [];
  const sizes: number[] = [];
  const restored = await restoreFromFiles(folder, async (records) => {
    taken.push(...records);
    sizes.push(records.length);
  });
  return { restored, taken, sizes };
}

describe("restoreFromFiles", () => {
  test("takes nothing from a folder that holds nothing", async () => {
    expect(await restore({})).toEqual({
      restored: { position: { results: 0, failures: 0 }, taken: 0, foreign: 0 },
      taken: [],
      sizes: [],
    });
  });

  test("takes what was finished in the order it was finished in, from both files", async () => {
    const results = [finished("a", "accepted", 1), finished("c", "review", 3), finished("b", "accepted", 5)];
    const failures = [finished("b", "failed", 2), finished("a", "rejected", 4)];
    const { restored, taken } = await restore({
      "results.ndjson": toText(results),
      "failures.ndjson": toText(failures),
    });
    // Of `a` the failure is the later one, of `b` the result.
    expect(taken.map(({ image, outcome }) => `${image.source} ${outcome}`)).toEqual([
      "a.jpg accepted",
      "b.jpg failed",
      "c.jpg review",
      "a.jpg rejected",
      "b.jpg accepted",
    ]);
    expect(restored).toEqual({
      position: { results: toText(results).length, failures: toText(failures).length },
      taken: 5,
      foreign: 0,
    });
  });

  test.each([
    ["a line that was being written is not counted", '{"schema":1,"req', 0, 0],
    ["nor is what a power cut left behind", "\0".repeat(4096), 0, 0],
    ["a line by hand in the middle stays", "# by hand\n", 1, 10],
    ["so does one of another version", '{"schema":2}\n', 1, 13],
  ])("%s", async (_, tail, foreign, length) => {
    const text = toText([finished("a", "accepted", 1)]);
    const { restored, taken } = await restore({ "results.ndjson": text + tail });
    expect(taken).toHaveLength(1);
    expect(restored).toEqual({ position: { results: text.length + length, failures: 0 }, taken: 1, foreign });
  });

  test("a file of somebody else's lines is kept whole", async () => {
    const { restored } = await restore({ "results.ndjson": "theirs\nas well\n" });
    expect(restored).toEqual({ position: { results: 15, failures: 0 }, taken: 0, foreign: 2 });
  });

  test("takes so many at a time", async () => {
    const all = Array.from({ length: 1200 }, (_, i) => recordOf("b", i, i % 3 === 0 ? "failed" : "accepted"));
    const { taken, sizes } = await restore({
      "results.ndjson": toText(all.filter(({ outcome }) => outcome === "accepted")),
      "failures.ndjson": toText(all.filter(({ outcome }) => outcome === "failed")),
    });
    expect(taken).toHaveLength(1200);
    expect(sizes).toEqual([500, 500, 200]);
  });

  test("lets both files go when taking fails", async () => {
    const text = toText([finished("a", "accepted", 1)]);
    const folder = tempFolder({ "results.ndjson": text, "failures.ndjson": text });
    const failing = restoreFromFiles(folder, async () => {
      throw new Error("away");
    });
    await expect(failing).rejects.toThrow("away");
    await expect.poll(() => openFilesIn(folder)).toEqual([]);
  });
});
