import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { openNdjsonSink } from "../../src/results/ndjson-sink.js";
import { describeSink } from "../contract/sink-contract.js";
import { CAN_LIMIT_FILES, withFileSizeLimit } from "../helpers/file-size-limit.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

describeSink("ndjson", () => {
  const folder = tempFolder();
  const linesOf = (name: string) => {
    const text = readFileSync(join(folder, name), "utf8");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as OutcomeRecord]));
  };
  return {
    open: (committed) => openNdjsonSink(folder, committed),
    read: () => ({ results: linesOf("results.ndjson"), failures: linesOf("failures.ndjson") }),
    // The failures are longer: they meet the limit while there is room for the results.
    ...(CAN_LIMIT_FILES ? { whileFull: (act) => withFileSizeLimit(9000, act) } : {}),
  };
});

describe("openNdjsonSink", () => {
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
