import { describe, expect, test } from "vitest";
import { numberField } from "../../src/domain/card-vault.js";
import { Pan } from "../../src/domain/pan.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { matchDigits } from "../../src/vault/match-digits.js";
import { createVault } from "../../src/vault/vault.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";
import { testKeyring } from "./test-keyring.js";

const vault = createVault(testKeyring());

async function recordWith(read: string | null, more: Partial<OutcomeRecord> = {}): Promise<OutcomeRecord> {
  const record = recordOf("b", "1", "review", more);
  const { number } = recordCardOf();
  if (read === null || number === null) return { ...record, cards: [] };
  const binding = { request: more.duplicateOf ?? record.request, field: numberField(0) };
  const jwe = await vault.sealNumber(new Pan(read), binding);
  return { ...record, cards: [recordCardOf({ number: { ...number, jwe } })] };
}

describe("matchDigits", () => {
  test.each<[string | null, string | null, number, number]>([
    ["123456", "123456", 6, 0],
    ["123956", "123456", 5, 0],
    ["12356", "123456", 5, 0],
    ["1234456", "123456", 6, 1],
    ["23456", "123456", 5, 0],
    ["9999", "123456", 0, 0],
    [null, "123456", 0, 0],
    ["1234", null, 0, 4],
    [null, null, 0, 0],
  ])("%s read of %s: %i right, %i extra", async (read, label, right, extra) => {
    const pan = label === null ? null : new Pan(label);
    const expected = { labelled: label?.length ?? 0, right, extra };
    expect(await matchDigits(vault, await recordWith(read), pan)).toEqual(expected);
  });

  test("opens a duplicate's number, and says so where a number is another keyring's", async () => {
    const duplicate = await recordWith("123456", { duplicateOf: "r_other" });
    expect(await matchDigits(vault, duplicate, new Pan("123456"))).toMatchObject({ right: 6 });
    const foreign = createVault(testKeyring("b"));
    expect(await matchDigits(foreign, await recordWith("123456"), new Pan("123456"))).toBeNull();
  });
});
