import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import type { SinkPosition } from "../../src/domain/sink.js";
import { type OpenOutDeps, openOut } from "../../src/results/open-out.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

/** What Redis would know of one folder, and an application that opens and fills it. */
function setUp(more: Partial<OpenOutDeps> = {}) {
  const folder = tempFolder();
  const known = {
    position: null as SinkPosition | null,
    unfinished: null as SinkPosition | null,
    recorded: [] as string[],
    notes: [] as string[],
    locked: 0,
  };
  const deps: OpenOutDeps = {
    lock: async () => {
      known.locked++;
      return () => void known.locked--;
    },
    position: async () => known.position,
    unfinishedCompaction: async () => known.unfinished,
    compacted: async (position) => {
      known.position = position;
      known.unfinished = null;
    },
    isOurs: async () => true,
    forget: async () => {
      known.position = null;
      known.recorded = [];
    },
    restore: async (records) => void known.recorded.push(...records.map(({ image }) => image.source)),
    restored: async (position) => {
      known.position = position;
    },
    onNote: (note) => void known.notes.push(note.replaceAll(folder, "out")),
    ...more,
  };
  /** One run that records these outcomes. */
  const run = async (batch: string | null, ...names: string[]) => {
    const { log, release } = await openOut(folder, batch, deps);
    const position = await log.write(names.map((name) => recordOf(batch ?? "any", name)));
    if (names.length > 0) {
      known.position = position;
      known.recorded.push(...names.map((name) => `${name}.jpg`));
    }
    await log.close();
    release();
  };
  const read = (path = "results.ndjson") =>
    readFileSync(join(folder, path), "utf8")
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as OutcomeRecord).image.source]));
  return { folder, known, deps, run, read };
}

describe("openOut", () => {
  test("a new folder starts from nothing", async () => {
    const { run, read, known } = setUp();
    await run("b", "1", "2");
    expect(read()).toEqual(["1.jpg", "2.jpg"]);
    expect(known.notes).toEqual([]);
    expect(known.locked).toBe(0);
  });

  test("one that Redis knows is cut to what was committed, and nothing is forgotten", async () => {
    const { folder, run, read, known } = setUp({ forget: async () => expect.unreachable("it was forgotten") });
    writeFileSync(join(folder, "results.ndjson"), "");
    writeFileSync(join(folder, "failures.ndjson"), "");
    known.position = { results: 0, failures: 0 };
    await run("b", "1");
    appendFileSync(join(folder, "results.ndjson"), `${JSON.stringify(recordOf("b", "2"))}\n{"torn`);
    await run("b", "3");
    expect(read()).toEqual(["1.jpg", "3.jpg"]);
  });

  test.each<[string, (folder: string) => void, string[]]>([
    ["of which a file was deleted", (folder) => rmSync(join(folder, "failures.ndjson")), ["1.jpg", "2.jpg"]],
    ["which was deleted", (folder) => rmSync(join(folder, "results.ndjson")), []],
    ["which was cut short", (folder) => truncateSync(join(folder, "results.ndjson"), 400), ["1.jpg"]],
  ])("one %s is read back", async (_, change, left) => {
    const { folder, run, read, known } = setUp();
    await run("b", "1", "2");
    change(folder);
    await run("b");
    expect(known.recorded).toEqual(left);
    expect(read()).toEqual(left);
    expect(known.notes).toEqual(left.length === 0 ? [] : [`${left.length} outcomes found in out are taken over`]);
  });

  test.each([
    ["Redis was emptied", {}],
    ["what Redis knows was recorded elsewhere", { isOurs: async () => false }],
  ])("it is read back where %s", async (title, more) => {
    const { folder, run, read, known } = setUp(more);
    await run("b", "1", "2");
    appendFileSync(join(folder, "results.ndjson"), 'by hand\n{"torn');
    if (title === "Redis was emptied") known.position = null;
    await run("b", "3");
    expect(readFileSync(join(folder, "results.ndjson"), "utf8").split("\n")[2]).toBe("by hand");
    expect(known.recorded).toEqual(["1.jpg", "2.jpg", "3.jpg"]);
    expect(known.notes).toEqual([
      "2 outcomes found in out are taken over",
      "out holds lines that are no outcomes of this version (1); they stay",
    ]);
    expect(() => read()).toThrow(SyntaxError);
  });

  test("another batch's files are moved aside, and come back with it", async () => {
    const { folder, run, read, known } = setUp();
    await run("one", "1");
    writeFileSync(join(folder, "summary.json"), "{}");
    writeFileSync(join(folder, "mine.txt"), "stays");
    await run("two", "2");
    expect(read()).toEqual(["2.jpg"]);
    expect(read("one/results.ndjson")).toEqual(["1.jpg"]);
    expect(readdirSync(folder).toSorted()).toEqual(["failures.ndjson", "mine.txt", "one", "results.ndjson"]);
    await run("one", "3");
    expect(read()).toEqual(["1.jpg", "3.jpg"]);
    expect(read("two/results.ndjson")).toEqual(["2.jpg"]);
    expect(existsSync(join(folder, "summary.json"))).toBe(true);
    expect(known.notes).toEqual([
      "out held the results of batch one; they are in out/one now",
      "out held the results of batch two; they are in out/two now",
      "1 outcomes found in out are taken over",
    ]);
  });

  test("no results are ever overwritten", async () => {
    const { folder, run, read } = setUp();
    await run("one", "1");
    await run("two", "2");
    // As after a drain of whatever comes, which moves nothing.
    for (const name of ["results.ndjson", "failures.ndjson"]) rmSync(join(folder, name));
    await run(null);
    appendFileSync(join(folder, "results.ndjson"), `${JSON.stringify(recordOf("one", "3"))}\n`);
    await run("two", "4");
    expect(read("one/results.ndjson")).toEqual(["1.jpg"]);
    expect(read("one-2/results.ndjson")).toEqual(["3.jpg"]);
  });

  test("copies that wait for their place get it before anything is moved", async () => {
    const { folder, run, read, known } = setUp();
    await run("one", "1", "2");
    writeFileSync(join(folder, ".results.ndjson.compact"), `${JSON.stringify(recordOf("one", "2"))}\n`);
    known.unfinished = { results: 312, failures: 0 };
    await run("two", "3");
    expect(read("one/results.ndjson")).toEqual(["2.jpg"]);
    expect(read()).toEqual(["3.jpg"]);
  });

  test("a name from a file leads nowhere else", async () => {
    const { folder, run } = setUp();
    for (const batch of ["..", "../up", "/abs", "a\0b", ""]) {
      writeFileSync(join(folder, "results.ndjson"), `${JSON.stringify(recordOf(batch, "1"))}\n`);
      await run("b");
      expect(readdirSync(folder).toSorted()).toEqual(["failures.ndjson", "results.ndjson"]);
    }
  });

  test("a folder that another writes is left alone", async () => {
    const busy = new Error("busy");
    const { folder, run } = setUp({
      lock: async () => {
        throw busy;
      },
    });
    await expect(run("b", "1")).rejects.toThrow(busy);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("the lock is let go when opening fails", async () => {
    const { known, run } = setUp({
      position: async () => {
        throw new Error("away");
      },
    });
    await expect(run("b")).rejects.toThrow("away");
    expect(known.locked).toBe(0);
  });
});
