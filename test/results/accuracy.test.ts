import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DigitMatch } from "../../src/domain/digit-match.js";
import { UsageError } from "../../src/domain/errors.js";
import { type Pan, revealPan } from "../../src/domain/pan.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { type Accuracy, measureAccuracy } from "../../src/results/accuracy.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";
import { tempFolder } from "../helpers/temp-folder.js";

/** A page that was read: `digits` as the fingerprint of its number. */
function page(name: string, digits: string | null, more: Partial<OutcomeRecord> = {}): OutcomeRecord {
  const { number } = recordCardOf();
  const card = recordCardOf({ number: digits === null || number === null ? null : { ...number, fingerprint: digits } });
  return recordOf("b", name, more.outcome ?? "accepted", { cards: [card], ...more });
}

const digitsOf = (number: Pan): string => revealPan(number);

async function measure(truth: string, ...records: OutcomeRecord[]): Promise<Accuracy> {
  const folder = tempFolder({
    "truth.csv": truth,
    "results.ndjson": records.map((record) => `${JSON.stringify(record)}\n`).join(""),
  });
  return measureAccuracy(folder, join(folder, "truth.csv"), {
    fingerprint: (number) => digitsOf(number),
    openSource: async ({ image }) => {
      if (image.sourceJwe === "foreign") throw new Error("another keyring");
      return image.sourceJwe ?? "";
    },
  });
}

const HEADER = "file,page,number,issueDate,expiryDate,bank,type\n";

describe("measureAccuracy", () => {
  test("counts what has a label, field by field", async () => {
    const truth = `${HEADER}1.jpg,0,11,2010-12,2020-12,招商银行,debit\n2.jpg,0,22,,2021-01,,credit\n3.jpg,0,33,,,,\n`;
    const accuracy = await measure(truth, page("1", "11"), page("2", "99", { outcome: "review" }), page("4", "44"));
    expect(accuracy).toEqual({
      pages: 2,
      number: { labelled: 2, right: 1 },
      issueDate: { labelled: 1, right: 1 },
      expiryDate: { labelled: 2, right: 1 },
      bank: { labelled: 1, right: 1 },
      type: { labelled: 2, right: 1 },
      accepted: 1,
      wrongAccepts: 0,
      failed: 0,
      missing: 1,
    });
  });

  test.each<[string, string, Partial<OutcomeRecord> & { digits?: string | null }, Partial<Accuracy>]>([
    ["accepted and wrong", "11", { digits: "12" }, { accepted: 1, wrongAccepts: 1 }],
    ["accepted although there is no number", "", { digits: "12" }, { accepted: 1, wrongAccepts: 1 }],
    ["in review and wrong", "11", { digits: "12", outcome: "review" }, { accepted: 0, wrongAccepts: 0 }],
    [
      "a duplicate of an accepted page",
      "11",
      { outcome: "duplicate" },
      { accepted: 1, number: { labelled: 1, right: 1 } },
    ],
    ["a duplicate of a doubtful page", "11", { outcome: "duplicate", reasons: ["luhn"] }, { accepted: 0 }],
    ["no number, and none found", "", { digits: null, outcome: "review" }, { number: { labelled: 1, right: 1 } }],
    ["no number, and no card found", "", { cards: [], outcome: "rejected" }, { number: { labelled: 1, right: 1 } }],
    [
      "no number, and not read at all",
      "",
      { cards: [], outcome: "failed" },
      { number: { labelled: 1, right: 0 }, failed: 1 },
    ],
    ["spaces in the label", "1 1", {}, { number: { labelled: 1, right: 1 } }],
  ])("%s", async (_, label, { digits = "11", ...more }, expected) => {
    expect(await measure(`file,number\n1.jpg,${label}\n`, page("1", digits, more))).toMatchObject(expected);
  });

  test("tells who asks what the digits of each page are compared with", async () => {
    const asked: [string, string | null][] = [];
    const folder = tempFolder({
      "truth.csv": "file,number\n1.jpg,11\n2.jpg,\n",
      "results.ndjson": [page("1", "12"), page("2", null)].map((record) => `${JSON.stringify(record)}\n`).join(""),
    });
    const pages: (DigitMatch | null)[] = [];
    await measureAccuracy(folder, join(folder, "truth.csv"), {
      fingerprint: digitsOf,
      openSource: async () => "",
      matchDigits: async ({ image }, label) => {
        asked.push([image.source, label === null ? null : revealPan(label)]);
        return label === null ? null : { labelled: 2, right: 1, extra: 0 };
      },
      onPage: ({ digits }) => pages.push(digits),
    });
    expect(asked).toEqual([
      ["1.jpg", "11"],
      ["2.jpg", null],
    ]);
    expect(pages).toEqual([{ labelled: 2, right: 1, extra: 0 }, null]);
  });

  test("a page is known by its name however that is written", async () => {
    const name = (source: string, sourceJwe?: string) => ({
      image: { key: null, source, page: 0, ...(sourceJwe === undefined ? {} : { sourceJwe }) },
    });
    const truth = `file,number\nd\\1.jpg,11\n./2.jpg,22\ncafe\u0301.jpg,33\nreal-4.jpg,44\nreal-5.jpg,55\n`;
    const accuracy = await measure(
      truth,
      page("1", "11", name("d/1.jpg")),
      page("2", "22", name("2.jpg")),
      page("3", "33", name("caf\u00e9.jpg")),
      page("4", "44", name("****-4.jpg", "real-4.jpg")),
      page("5", "55", name("****-5.jpg", "foreign")),
    );
    expect(accuracy).toMatchObject({ pages: 4, number: { labelled: 4, right: 4 }, missing: 1 });
  });

  test("pages of one file have labels of their own; without a column it is the first", async () => {
    const at = (page_: number) => ({ image: { key: null, source: "1.tif", page: page_ } });
    const records = [page("a", "11", at(0)), page("b", "22", at(1))];
    expect(await measure("file,page,number\n1.tif,1,22\n1.tif,0,11\n", ...records)).toMatchObject({
      number: { labelled: 2, right: 2 },
    });
    expect(await measure("\uFEFFfile,number\r\n1.tif,11\r\n", ...records)).toMatchObject({
      number: { labelled: 1, right: 1 },
    });
    expect(await measure("file,page,number\n1.tif,,11\n1.tif,x,11\n", ...records)).toMatchObject({
      pages: 1,
      missing: 1,
    });
  });

  test.each([
    ["without the columns", "name,number\n1.jpg,1\n"],
    ["that is no CSV", 'file,number\n"1.jpg,1\n'],
  ])("a truth file %s is refused", async (_, truth) => {
    await expect(measure(truth)).rejects.toThrow(UsageError);
  });

  test("a truth file that is not there is refused", async () => {
    const deps = { fingerprint: digitsOf, openSource: async () => "" };
    await expect(measureAccuracy("/nowhere", "/nowhere/truth.csv", deps)).rejects.toThrow(UsageError);
  });
});
