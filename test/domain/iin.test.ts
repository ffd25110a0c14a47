import { describe, expect, it } from "vitest";
import { findIssuer, findNetwork } from "../../src/domain/iin.js";

describe("findIssuer", () => {
  it.each([
    ["622588", 16, "CMB", "debit", true],
    ["622588", 19, "CMB", "debit", false],
    ["95599", 19, "ABC", "debit", true],
    ["622822", 19, "ABC", "debit", true],
  ])("%s with %i digits is %s, %s, its length listed: %s", (prefix, length, code, type, lengthMatches) => {
    expect(findIssuer(`${prefix}0000`.slice(0, 10), length)).toMatchObject({ bank: { code }, type, lengthMatches });
  });

  it("gives the bank's Chinese name", () => {
    expect(findIssuer("6225880000", 16)?.bank.name).toBe("招商银行");
  });

  it("takes the longest prefix that is listed", () => {
    expect(findIssuer("6229756115", 19)?.bank.code).toBe("BJRCB");
    expect(findIssuer("6229756100", 19)?.bank.code).not.toBe("BJRCB");
  });

  it.each(["", "62", "0000000000", "7999999999"])("does not know %j", (iin) => {
    expect(findIssuer(iin, 16)).toBeNull();
  });
});

describe("findNetwork", () => {
  it.each([
    ["6200000000", 19, "unionpay"],
    ["8101000000", 16, "unionpay"],
    ["4000000000", 16, "visa"],
    ["2221000000", 16, "mastercard"],
    ["2720990000", 16, "mastercard"],
    ["3400000000", 15, "amex"],
    ["3589000000", 16, "jcb"],
    ["3600000000", 14, "diners"],
    ["6011000000", 16, "discover"],
    ["6759000000", 12, "maestro"],
    ["4936980000", 16, "maestro"],
    ["2204000000", 16, "mir"],
  ] as const)("%s with %i digits is %s", (iin, length, network) => {
    expect(findNetwork(iin, length)).toEqual({ network, lengthMatches: true });
  });

  it.each(["2220990000", "2721000000", "3590000000", "9559900000", "0", ""])("has no network for %j", (iin) => {
    expect(findNetwork(iin, 16)).toBeNull();
  });

  it("tells a length that the network does not issue", () => {
    expect(findNetwork("3400000000", 16)).toEqual({ network: "amex", lengthMatches: false });
  });
});
