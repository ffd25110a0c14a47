import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLines, readRecords } from "../../src/results/read-lines.js";
import { collect } from "../helpers/collect.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

/** What a file is read in. @unit bytes */
const CHUNK = 1 << 18;

describe("readLines", () => {
  test("gives the complete lines, whole characters each, wherever chunks end", async () => {
    const path = join(tempFolder(), "f");
    const line = fc.string({ unit: fc.constantFrom("a", "卡", "😀", "\r", '"'), maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1 }),
        line,
        fc.integer({ min: -40, max: 40 }),
        async (lines, rest, at) => {
          const first = "x".repeat(CHUNK + at);
          writeFileSync(path, `${[first, ...lines].join("\n")}\n${rest}`);
          const all = await collect(readLines(path));
          expect(all.map(({ text }) => text)).toEqual([first, ...lines]);
          const ends = all.map((_, i) => Buffer.byteLength([first, ...lines].slice(0, i + 1).join("\n")) + 1);
          expect(all.map(({ end }) => end)).toEqual(ends);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each([
    [0, []],
    [1, []],
    [3, ["ab"]],
    [5, ["ab"]],
    [6, ["ab", "cd"]],
    [99, ["ab", "cd"]],
  ])("looks at the first %i bytes alone", async (bytes, lines) => {
    const folder = tempFolder({ f: "ab\ncd\nef" });
    expect((await collect(readLines(join(folder, "f"), bytes))).map(({ text }) => text)).toEqual(lines);
  });

  test("no file, no lines; what else is wrong is told", async () => {
    const folder = tempFolder();
    expect(await collect(readLines(join(folder, "missing")))).toEqual([]);
    await expect(collect(readLines(folder))).rejects.toThrow("EISDIR");
  });
});

test("readRecords passes over what is no outcome of this version", async () => {
  const good = JSON.stringify(recordOf("b", 1));
  const lines = [good, "{", "null", "{}", "[]", good.replace('"schema":1', '"schema":2'), "", `${good}\r`];
  const folder = tempFolder({ f: `${lines.join("\n")}\n${good}` });
  expect(await collect(readRecords(join(folder, "f")))).toEqual([recordOf("b", 1), recordOf("b", 1)]);
});
