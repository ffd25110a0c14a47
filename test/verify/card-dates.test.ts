import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizeDates } from "../../src/verify/card-dates.js";

const NOW = new Date("2026-11-22T08:00:00Z");
const expiry = (text: string | null) => normalizeDates(null, text, NOW).expiryDate;

describe("normalizeDates", () => {
  test.each([
    ["12/20", "2020-12"],
    ["07/2023", "2023-07"],
    ["7/2023", "2023-07"],
    ["2024/12", "2024-12"],
    ["2024/1", "2024-01"],
    ["2026-12", "2026-12"],
    ["2026-12-31", "2026-12"],
    ["2026.12.31", "2026-12"],
    ["2026年12月", "2026-12"],
    ["2026年1月31日", "2026-01"],
    ["0726", "2026-07"],
    ["07 26", "2026-07"],
    ["07 / 26", "2026-07"],
    ["07.26", "2026-07"],
    ["07–26", "2026-07"],
    ["０７／２６", "2026-07"],
    ["VALID THRU 08/25", "2025-08"],
    ["MONTH/YEAR 08/25", "2025-08"],
    ["有效期至08/25", "2025-08"],
    ["10/12", "2012-10"],
  ])("%s is %s", (text, month) => {
    expect(expiry(text)).toBe(month);
  });

  test.each([
    "",
    " ",
    "/",
    "13/20",
    "00/20",
    "00/00",
    "0000",
    "1320",
    "20",
    "2026",
    "NO VALID",
    "12/2",
    "12/202",
    "123/20",
    "12/1949",
    "2100/12",
    "12/31/2026",
    "31/12/26",
    "15/16/2026",
    "202612312359",
    "null",
    "年月",
    "2015/2025",
  ])("%s is none", (text) => {
    expect(expiry(text)).toBeNull();
  });

  test.each([
    ["46", "2046"],
    ["26", "2026"],
    ["06", "2006"],
    ["00", "2000"],
    // More than twenty years ahead no card is valid: it is one of the first.
    ["99", "1999"],
    ["87", "1987"],
  ])("the year %s is %s in 2026", (text, year) => {
    expect(expiry(`05/${text}`)).toBe(`${year}-05`);
  });

  test("the century goes with the time", () => {
    const at = (year: number, text: string) =>
      normalizeDates(null, text, new Date(`${year}-06-01T00:00:00Z`)).expiryDate;
    expect(at(2079, "05/99")).toBe("2099-05");
    expect(at(1999, "05/05")).toBe("2005-05");
  });

  test.each<[string | null, string | null, string | null, string | null]>([
    [null, "03/17,04/25", "2017-03", "2025-04"],
    [null, "04/25 03/17", "2017-03", "2025-04"],
    [null, "03/17-04/25", "2017-03", "2025-04"],
    [null, "0317 0425", "2017-03", "2025-04"],
    [null, "2017年3月至2025年4月", "2017-03", "2025-04"],
    ["03/17,04/25", null, "2017-03", "2025-04"],
    ["03/17,04/25", "garbage", "2017-03", "2025-04"],
    ["03/17", "04/25", "2017-03", "2025-04"],
    ["03/17", "03/17,04/25", "2017-03", "2025-04"],
    ["03/17,04/25", "04/25", "2017-03", "2025-04"],
    ["03/17", null, "2017-03", null],
    [null, null, null, null],
  ])("%j and %j", (issueText, expiryText, issueDate, expiryDate) => {
    expect(normalizeDates(issueText, expiryText, NOW)).toEqual({ issueDate, expiryDate });
  });

  test("gives months or nothing, whatever it is given", () => {
    const text = fc.option(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0129/-. 年月日,–") })), {
      nil: null,
    });
    const month = /^(19[5-9]|20\d)\d-(0[1-9]|1[0-2])$/;
    fc.assert(
      fc.property(
        text,
        text,
        fc.date({ min: new Date("1990"), max: new Date("2079"), noInvalidDate: true }),
        (a, b, now) => {
          for (const date of Object.values(normalizeDates(a, b, now))) if (date !== null) expect(date).toMatch(month);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("takes no longer on text that is made to take long", () => {
    const hostile = [`1${" ".repeat(200_000)}x`, "1 ".repeat(100_000), "1/".repeat(100_000), "年".repeat(100_000)];
    for (const text of hostile) expect(expiry(text)).toBeNull();
  }, 2000);
});
