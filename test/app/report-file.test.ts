import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { appendReport, readLastReport } from "../../src/app/report-file.js";
import { tempFolder } from "../helpers/temp-folder.js";

test("a report is the last line, whatever was torn before it", async () => {
  const path = join(tempFolder(), "schedule.ndjson");
  expect(await readLastReport(path)).toBeNull();
  await appendReport(path, { run: "one" });
  expect(await readLastReport(path)).toEqual({ run: "one" });
  await appendFile(path, '{"run":"tor');
  expect(await readLastReport(path)).toEqual({ run: "one" });
  await appendReport(path, { run: "two", reason: "x".repeat(40_000) });
  expect(await readLastReport(path)).toMatchObject({ run: "two" });
  expect((await readFile(path, "utf8")).split("\n").length).toBe(4);
});
