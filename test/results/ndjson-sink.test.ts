import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import type { SinkPosition } from "../../src/domain/sink.js";
import { openNdjsonSink } from "../../src/results/ndjson-sink.js";
import { describeSink } from "../contract/sink-contract.js";
import { CAN_LIMIT_FILES, withFileSizeLimit } from "../helpers/file-size-limit.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

const good = (name: number) => recordOf("b", name, name % 2 === 0 ? "accepted" : "review");
const bad = (name: number) => recordOf("b", name, name % 2 === 0 ? "failed" : "rejected");

function linesOf(folder: string, name: string): OutcomeRecord[] {
  const text = readFileSync(join(folder, name), "utf8");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as OutcomeRecord]));
}

describeSink("ndjson", async () => {
  const folder = tempFolder();
  let committed: SinkPosition | null = null;
  return {
    open: async () => {
      const log = await openNdjsonSink(folder, committed);
      let written = committed;
      return {
        write: async (records) => {
          written = await log.write(records);
        },
        commit: async () => {
          committed = written;
        },
        close: log.close,
      };
    },
    read: async () => [...linesOf(folder, "results.ndjson"), ...linesOf(folder, "failures.ndjson")],
    // The failures are longer: they meet the limit while there is room for the results.
    ...(CAN_LIMIT_FILES ? { whileDown: (act) => withFileSizeLimit(9000, act) } : {}),
  };
});

describe("openNdjsonSink", () => {
  test("writes results and failures apart, in the order given, and says how far it is", async () => {
    const folder = tempFolder();
    const log = await openNdjsonSink(folder, null);
    const first = await log.write([good(1), bad(2), good(3)]);
    expect(await log.write([])).toEqual(first);
    expect(await log.write([bad(4)])).not.toEqual(first);
    await log.close();
    expect(linesOf(folder, "results.ndjson")).toEqual([good(1), good(3)]);
    expect(linesOf(folder, "failures.ndjson")).toEqual([bad(2), bad(4)]);
  });

  test("goes back to what was committed, and on from there", async () => {
    const folder = tempFolder();
    const log = await openNdjsonSink(folder, null);
    const committed = await log.write([good(1), bad(2)]);
    await log.write([good(3), bad(4)]);
    await log.close();
    const again = await openNdjsonSink(folder, committed);
    expect(linesOf(folder, "results.ndjson")).toEqual([good(1)]);
    expect(linesOf(folder, "failures.ndjson")).toEqual([bad(2)]);
    await again.write([good(5)]);
    await again.close();
    expect(linesOf(folder, "results.ndjson")).toEqual([good(1), good(5)]);
    await (await openNdjsonSink(folder, null)).close();
    expect(linesOf(folder, "results.ndjson")).toEqual([]);
  });

  test("takes away what was being written when the process died", async () => {
    const folder = tempFolder();
    const sink = await openNdjsonSink(folder, null);
    const committed = await sink.write([recordOf("b", 1)]);
    await sink.close();
    const whole = readFileSync(join(folder, "results.ndjson"), "utf8");
    writeFileSync(join(folder, "results.ndjson"), `${whole}${whole}{"schema":1,"requ`);
    await (await openNdjsonSink(folder, committed)).close();
    expect(readFileSync(join(folder, "results.ndjson"), "utf8")).toBe(whole);
  });

  test("says that a folder cannot be written, without naming what is in it", async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, "results.ndjson"));
    const error = await openNdjsonSink(folder, null).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SinkError);
    expect(String(error)).toContain("EISDIR");
  });
});
