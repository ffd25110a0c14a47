import { describe, expect, it } from "vitest";
import { chooseNumber } from "../../src/engine/choose.js";
import { chooseMonth, parseMonth } from "../../src/engine/dates.js";

const log = Math.log;

describe("chooseNumber", () => {
  it("prefers a valid check digit among near equals, and keeps that candidate's own mass", () => {
    const chosen = chooseNumber([
      { text: "4000000000000008", logMass: log(0.5) },
      { text: "4000000000000002", logMass: log(0.4) },
    ]);
    expect(chosen?.digits).toBe("4000000000000002");
    expect(chosen?.logMass).toBeCloseTo(log(0.4));
    expect(chosen?.margin).toBeLessThan(0);
    expect(chosen?.luhn).toBe(true);
  });

  it("prefers a listed issuer among near equals", () => {
    const chosen = chooseNumber([
      { text: "6262020000000000006", logMass: log(0.6) },
      { text: "6222020000000000000", logMass: log(0.3) },
    ]);
    expect(chosen?.digits).toBe("6222020000000000000");
  });

  it("does not bend a sure reading to a valid check digit", () => {
    const chosen = chooseNumber([
      { text: "4000000000000008", logMass: log(0.98) },
      { text: "4000000000000002", logMass: log(0.005) },
    ]);
    expect(chosen).toMatchObject({ digits: "4000000000000008", luhn: false });
  });

  it.each([
    ["4000000000000002", true],
    ["400000000000009", false],
    ["340000000000009", true],
    ["9400000000000008", true],
    ["94000000000008", false],
    ["1101011990030700", false],
    ["4000000000006", false],
    ["501800000009", false],
    ["30000000000004", true],
    ["62000000000000000", true],
  ])("knows whether %s is as long as such numbers are: %s", (text, lengthFits) => {
    expect(chooseNumber([{ text, logMass: 0 }])).toMatchObject({ digits: text, lengthFits });
  });

  it("finds no number in short, long or dated texts", () => {
    const texts = ["12/25", "12345678901", "12345678901234567890", ""];
    expect(chooseNumber(texts.map((text) => ({ text, logMass: 0 })))).toBeNull();
  });
});

describe("dates", () => {
  it.each([
    ["12/25", "12/25"],
    ["01/2031", "01/31"],
  ])("reads %s", (raw, text) => {
    expect(parseMonth(raw)?.text).toBe(text);
  });

  it.each(["13/25", "00/20", "1/25", "12/1999", "1225", "12/25/"])("refuses %s", (raw) => {
    expect(parseMonth(raw)).toBeNull();
  });

  it("orders months", () => {
    expect(parseMonth("01/20")?.ordinal).toBe((parseMonth("12/19")?.ordinal ?? 0) + 1);
  });

  it("takes the likeliest candidate that is a month", () => {
    const best = chooseMonth([
      { text: "19/25", logMass: log(0.6) },
      { text: "10/25", logMass: log(0.3) },
      { text: "10/26", logMass: log(0.03) },
    ]);
    expect(best?.month.text).toBe("10/25");
    expect(best?.margin).toBeCloseTo(log(10));
    expect(chooseMonth([{ text: "99/99", logMass: 0 }])).toBeNull();
  });
});
