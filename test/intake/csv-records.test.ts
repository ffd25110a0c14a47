import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCsvRecords, splitRecord } from "../../src/intake/csv-records.js";
import { collect } from "../helpers/collect.js";

async function* linesOf(text: string) {
  for (const [i, line] of text.split("\n").entries()) if (line.trim() !== "") yield { text: line, number: i + 1 };
}

const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;

describe("splitRecord", () => {
  test.each([
    ["a,b", ["a", "b"]],
    ["", [""]],
    [",", ["", ""]],
    ['"a,""b""",c', ['a,"b"', "c"]],
    ['a"b,c', ['a"b', "c"]],
    ['""', [""]],
    ['"a\nb",c', ["a\nb", "c"]],
    ['"a', "open"],
    ['"a""', "open"],
    ['x,"a,b', "open"],
    ['"a"b,c', "broken"],
    ['"a" ,c', "broken"],
  ])("%j", (text, fields) => {
    expect(splitRecord(text)).toEqual(fields);
  });
});

describe("readCsvRecords", () => {
  test("gives back whatever was written by the rules", async () => {
    const field = fc.string({ unit: fc.constantFrom(..."ab,\" '\n.卡") });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 5 }), async (rows) => {
        // A blank line is none to the reader, inside of quotes too.
        const clean = rows.map((row) => row.map((text) => text.replace(/\n\s*(?=\n)/g, "")));
        const text = clean.map((row) => row.map(quoted).join(",")).join("\n");
        const records = await collect(readCsvRecords(linesOf(text)));
        expect(records.map(({ fields }) => fields)).toEqual(clean);
      }),
    );
  });

  test("neither throws nor loses a line, whatever it is given", async () => {
    const line = fc.string({ unit: fc.constantFrom(...'a,"\r '), maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
        const text = lines.join("\n");
        const given = await collect(linesOf(text));
        const records = await collect(readCsvRecords(linesOf(text)));
        const told = records.map((record) => record.line);
        expect(told).toEqual(told.toSorted((a, b) => a - b));
        const inFields = records.reduce((sum, { fields }) => sum + (fields?.join("").split("\n").length ?? 1), 0);
        expect(inFields).toBe(given.length);
      }),
    );
  });
});
