import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { cellText } from "../../src/results/csv.js";
import { writeCsv } from "../../src/results/csv-file.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

/** The rows that a folder with these outcomes gets, read by the rules. */
async function rowsOf(results: readonly OutcomeRecord[], failures: readonly OutcomeRecord[] = []) {
  const toText = (records: readonly OutcomeRecord[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");
  const folder = tempFolder({ "results.ndjson": toText(results), "failures.ndjson": toText(failures) });
  await writeCsv(folder);
  expect(readdirSync(folder).toSorted()).toEqual(["failures.ndjson", "results.csv", "results.ndjson"]);
  const text = readFileSync(join(folder, "results.csv"), "utf8");
  return {
    text,
    rows: parse(text, { columns: true, bom: true, record_delimiter: "\r\n" }) as Record<string, string>[],
  };
}

const withRef = (ref: string) => recordOf("b", "1", "accepted", { ref });

describe("results.csv", () => {
  test("has a row a card, and one for each page without a card", async () => {
    const two = [recordCardOf(), recordCardOf({ number: null, bank: null, issueDate: null })];
    const { text, rows } = await rowsOf(
      [recordOf("b", "two", "review", { cards: two, reasons: ["luhn", "confidence-low"] })],
      [recordOf("b", "none", "failed", { code: "image-corrupt", message: "cut short: scan it again" })],
    );
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatchObject({
      source: "two.jpg",
      page: "0",
      ref: "",
      outcome: "review",
      reasons: "luhn confidence-low",
      number: "622588******1234",
      luhn: "true",
      bank: "招商银行",
      type: "debit",
      issueDate: "\t2010-12",
      confidence: "0.9991",
      code: "",
    });
    expect(rows[1]).toMatchObject({ source: "two.jpg", number: "", bank: "", issueDate: "", expiryDate: "\t2020-12" });
    expect(rows[2]).toMatchObject({ source: "none.jpg", outcome: "failed", code: "image-corrupt", number: "" });
    expect(text.split("\r\n")).toHaveLength(5);
  });

  test.each([
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    '=HYPERLINK("x","y")',
  ])("no spreadsheet runs %j", async (ref) => {
    const { rows } = await rowsOf([withRef(ref)]);
    expect(rows[0]?.ref).toBe(`'${ref}`);
  });

  test.each(["2020-12", "00123", "1/2", "12e3", "1234567890123456", "3.10", "50%", "2010年12月"])(
    "no spreadsheet makes a number or a date of %j",
    async (ref) => {
      const { rows } = await rowsOf([withRef(ref)]);
      expect(rows[0]?.ref).toBe(`\t${ref}`);
      expect(cellText(rows[0]?.ref ?? "")).toBe(ref);
    },
  );

  test("is known as UTF-8 by its first bytes", async () => {
    const { text } = await rowsOf([]);
    expect(Buffer.from(text).subarray(0, 3).toString("hex")).toBe("efbbbf");
  });

  test("every text comes back as it was, a sign in front of a formula, or of digits alone, apart", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom(..."a1,\"'\r\n=- ;卡😀") }), async (ref) => {
        const { rows } = await rowsOf([withRef(ref)]);
        const sign = /^[=\-\r\n]/.test(ref) ? "'" : /^\d[\d\s,-]*$/.test(ref) ? "\t" : "";
        expect(rows[0]?.ref).toBe(sign + ref);
      }),
      { numRuns: 50 },
    );
  });

  test("replaces an older one as a whole, and holds more rows than are written at a time", async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, "results.csv"), "old");
    const lines = Array.from({ length: 2500 }, (_, i) => `${JSON.stringify(recordOf("b", i))}\n`);
    writeFileSync(join(folder, "results.ndjson"), lines.join(""));
    await writeCsv(folder);
    const rows = parse(readFileSync(join(folder, "results.csv")), { columns: true, bom: true }) as Record<
      string,
      string
    >[];
    expect(rows.map(({ source }) => source)).toEqual(lines.map((_, i) => `${i}.jpg`));
  });
});
