import { format, inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskDigits, Pan, revealPan, revealRawPan } from "../../src/domain/pan.js";
import { cardNumber, cardNumbers } from "../helpers/card-numbers.js";

const shownDigits = (text: string): number => text.replace(/\D/g, "").length;

describe("Pan", () => {
  it("never prints its number, whatever prints it", () => {
    fc.assert(
      fc.property(cardNumbers(), (number) => {
        const pan = new Pan(number);
        const prints = [
          `${pan}`,
          String(pan),
          JSON.stringify({ pan }),
          inspect({ pan }, { depth: 9, showHidden: true }),
        ];
        for (const print of [...prints, format("%s %o %j", pan, pan, pan), Object.values(pan).join()]) {
          expect(print).not.toContain(number);
        }
      }),
    );
  });

  it("keeps the text as it came, and gives the digits of it", () => {
    const raw = " ６225 88o0\u2013１234 ";
    expect(revealRawPan(new Pan(raw))).toBe(raw);
    expect(revealPan(new Pan(raw))).toBe("62258801234");
  });

  it.each([
    ["6225 8801-2345–6789", false],
    ["622588O123456789", true],
    ["6225880123456789/", true],
    ["", false],
  ])("%j has foreign characters: %s", (raw, expected) => {
    expect(new Pan(raw).hasForeignCharacters).toBe(expected);
  });

  it("has the length, check digit, issuer prefix and equality of its digits", () => {
    const number = cardNumber("622588", 16, 5);
    const pan = new Pan(number.replace(/(.{4})/g, "$1 "));
    expect(pan).toMatchObject({ length: 16, luhn: true, isCardLength: true, iin: number.slice(0, 10) });
    expect(pan.equals(new Pan(number))).toBe(true);
    expect(pan.equals(new Pan(`${number}0`))).toBe(false);
  });
});

describe("maskDigits", () => {
  it("keeps the length and never shows more than ten digits of a card number", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{13,19}$/), (digits) => {
        const masked = maskDigits(digits);
        expect(masked).toHaveLength(digits.length);
        expect(shownDigits(masked)).toBe(10);
        expect([masked.slice(0, 6), masked.slice(-4)]).toEqual([digits.slice(0, 6), digits.slice(-4)]);
      }),
    );
  });

  it.each(["", "1", "12345678901"])("shows nothing of %j, too short to hide anything in", (digits) => {
    expect(maskDigits(digits)).toBe("*".repeat(digits.length));
  });
});
