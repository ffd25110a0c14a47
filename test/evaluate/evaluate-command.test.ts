import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Evaluation } from "../../src/evaluate/evaluation.js";
import { openPlace, type Place } from "../helpers/cli.js";

const SAMPLES = fileURLToPath(new URL("../../samples/", import.meta.url));

let place: Place;
beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
});
afterAll(() => place.close());

it("evaluate measures the engine on labelled images and writes a page without numbers", {
  timeout: 60_000,
}, async () => {
  const rows: Record<string, string>[] = parse(await readFile(`${SAMPLES}truth.csv`), { columns: true, bom: true });
  const flat = rows.filter(({ file }) => file?.startsWith("flat/"));
  const lines = flat.map(({ file, number }, i) => `${file?.slice(5)},${number},${i % 2 ? "odd" : "even"}`);
  await writeFile(place.path("truth.csv"), ["file,number,index", ...lines].join("\n"));
  const args = ["evaluate", `${SAMPLES}flat`, "--truth", "truth.csv", "--report", "report.html", "--json"];
  const { code, stdout, stderr } = await place.run(args);
  expect(code, stderr).toBe(0);
  const evaluation = JSON.parse(stdout) as Evaluation;
  expect(evaluation.accuracy).toMatchObject({ pages: flat.length, wrongAccepts: 0, missing: 0 });
  expect(evaluation.strata.map(({ value, number }) => [value, number.labelled])).toEqual([
    ["even", 5],
    ["odd", 5],
  ]);
  expect(evaluation.reliability.reduce((sum, { pages }) => sum + pages, 0)).toBeGreaterThan(5);
  expect(evaluation.digits?.labelled).toBe(flat.reduce((sum, { number }) => sum + (number?.length ?? 0), 0));
  expect(evaluation.fields.map(({ name }) => name)).toEqual(["number"]);
  const page = await readFile(place.path("report.html"), "utf8");
  expect(page).toContain("Number by index");
  for (const { number } of flat) expect(page + stdout + stderr).not.toContain(number);
});
