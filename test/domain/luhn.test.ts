import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLuhnValid } from "../../src/domain/luhn.js";
import { luhnDigit } from "../helpers/card-numbers.js";

const digitStrings = fc.stringMatching(/^[0-9]{1,25}$/);

describe("isLuhnValid", () => {
  it("holds for exactly one last digit", () => {
    fc.assert(
      fc.property(digitStrings, (digits) => {
        const valid = "0123456789".split("").filter((last) => isLuhnValid(digits + last));
        expect(valid).toEqual([String(luhnDigit(digits))]);
      }),
    );
  });

  it("sees every single wrong digit", () => {
    fc.assert(
      fc.property(digitStrings, fc.nat(), fc.integer({ min: 1, max: 9 }), (digits, where, by) => {
        const whole = digits + luhnDigit(digits);
        const at = where % whole.length;
        const wrong = (Number(whole[at]) + by) % 10;
        expect(isLuhnValid(whole.slice(0, at) + wrong + whole.slice(at + 1))).toBe(false);
      }),
    );
  });

  it("is false for nothing", () => {
    expect(isLuhnValid("")).toBe(false);
  });
});
