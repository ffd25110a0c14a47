import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blankPansIn, findPans, hasPan, maskPansIn, maskReference } from "../../src/domain/find-pans.js";
import { maskDigits } from "../../src/domain/pan.js";
import { cardNumber, cardNumbers } from "../helpers/card-numbers.js";

const NUMBER = cardNumber("622588", 16, 3);
const AMEX = cardNumber("37", 15, 3);
const LONG = cardNumber("622848", 19, 3);
const LUHN_WRONG = NUMBER.slice(0, -1) + ((Number(NUMBER.at(-1)) + 1) % 10);
const grouped = (separator: string, number = NUMBER): string => number.match(/.{1,4}/g)?.join(separator) ?? "";
const fullWidth = (text: string): string => text.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));

/** Found at both levels, the span being exactly the number. */
const ANYWHERE = [
  NUMBER,
  AMEX,
  LONG,
  LUHN_WRONG,
  fullWidth(NUMBER),
  ...[" ", "-", "_", ".", "\u00a0", "\u2009", "–", "－", "%20", "\\u00a0"].map((separator) => grouped(separator)),
  grouped(" ", LONG),
  `${AMEX.slice(0, 4)} ${AMEX.slice(4, 10)} ${AMEX.slice(10)}`,
  `${LONG.slice(0, 6)} ${LONG.slice(6)}`,
];

/** What may stand around a number in text without hiding it. */
const AROUND = [
  ["", ""],
  ["卡号", "号"],
  ["n=", ","],
  ["id_", "_1"],
  ['"', '"'],
  ["a\\n", "\\n"],
  ["%3D", "%26"],
  ["\\u001b[31m", "\\u001b[0m"],
  ["", ".0"],
  ["2019-03-15 ", " 08:00"],
] as const;

/** No card numbers at level `text`, whatever their digits. */
const HARMLESS_TEXT = [
  `IMG${NUMBER}`,
  `${NUMBER}x`,
  `0.${NUMBER}`,
  `6.${NUMBER.slice(1)}`,
  "1731234567890",
  "1731234567890123",
  "1800000000000-17",
  "20190315123456789",
  `${NUMBER}${NUMBER}`,
  grouped(", "),
  grouped("\n"),
  NUMBER.split("").join(" "),
  cardNumber("0999", 16),
  `${NUMBER.slice(0, 6)}000000${NUMBER.slice(-4)}`,
  maskDigits(NUMBER),
  "f".repeat(20) + NUMBER + "f".repeat(28),
];

describe("findPans", () => {
  it.each(ANYWHERE)("finds %s exactly, at both levels", (text) => {
    for (const level of ["name", "text"] as const) {
      expect(findPans(`(${text})`, level)).toEqual([{ start: 1, end: 1 + text.length }]);
    }
  });

  it.each(AROUND)("finds a number in text between %j and %j", (before, after) => {
    for (const number of [NUMBER, LONG, AMEX]) {
      const span = { start: before.length, end: before.length + number.length };
      expect(findPans(before + number + after, "text")).toEqual([span]);
    }
  });

  it.each(HARMLESS_TEXT)("finds nothing in the text %s", (text) => {
    expect(findPans(text, "text")).toEqual([]);
  });

  it.each([
    `IMG${NUMBER}`,
    `20190315${NUMBER}`,
    `20190315${LONG}b`,
    `${NUMBER}01`,
    `a${grouped("-")}b`,
    NUMBER + NUMBER,
  ])("finds a number in the name %s", (name) => {
    expect(hasPan(`dir/${name}.jpg`, "name")).toBe(true);
  });

  it.each([
    "IMG20190315123456789.jpg",
    "scan_20190315_123456_000123.png",
    `${createHash("sha256").update("a").digest("hex").replace(/./, "1")}.jpg`,
    `ab${cardNumber("622588", 16)}${"c".repeat(14)}.jpg`,
    "2019/03/15/000123.jpg",
    "",
  ])("finds nothing in the name %s", (name) => {
    expect(findPans(name, "name")).toEqual([]);
  });

  it("raises no alarm on digests, base64url, clocks and fractions", () => {
    for (let i = 0; i < 20_000; i++) {
      const digest = createHash("sha256").update(`${i}`).digest();
      const fraction = digest.readUInt32BE() / 2 ** 32 / (i + 1);
      const clock = 1_000_000_000_000 + i * 54_999_999;
      const line = `["${digest.toString("hex")}","${digest.toString("base64url")}",${clock},${clock}.${i},${fraction}]`;
      expect(findPans(line, "text")).toEqual([]);
    }
  });

  it("takes long hostile input in its stride", () => {
    expect(blankPansIn("1".repeat(20_000_000)).hits).toBe(0);
    for (const text of ["0", "4", "62", NUMBER, `${NUMBER} `, "1 ", "4%20"].map((part) => part.repeat(20_000))) {
      expect(findPans(blankPansIn(text).text, "text")).toEqual([]);
      expect(hasPan(maskReference(text), "name")).toBe(false);
    }
  });
});

describe("maskPansIn", () => {
  it("masks the number and leaves the rest", () => {
    expect(maskReference(`a/2019 ${grouped("-")}_1.jpg`)).toBe(`a/2019 ${maskDigits(NUMBER)}_1.jpg`);
    expect(maskPansIn(`${fullWidth(NUMBER)}, ${LONG}`, "text")).toBe(`${maskDigits(NUMBER)}, ${maskDigits(LONG)}`);
    expect(maskReference("a/b.jpg")).toBe("a/b.jpg");
  });

  it("leaves nothing to be found, and changes nothing the second time", () => {
    const pieces = fc.oneof(
      cardNumbers(),
      fc.stringMatching(/^[0-9 ._-]{0,24}$/),
      fc.constantFrom("4", "62", " ", "-", "a"),
    );
    fc.assert(
      fc.property(fc.array(pieces), fc.constantFrom("name" as const, "text" as const), (parts, level) => {
        const masked = maskPansIn(parts.join(""), level);
        expect(findPans(masked, level)).toEqual([]);
        expect(maskPansIn(masked, level)).toBe(masked);
      }),
      { numRuns: 500 },
    );
  });
});
