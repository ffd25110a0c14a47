import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { base64url, CompactEncrypt, compactDecrypt } from "jose";
import { describe, expect, it } from "vitest";
import { numberField, SOURCE_FIELD } from "../../src/domain/card-vault.js";
import { Pan, revealPan } from "../../src/domain/pan.js";
import { activeKey } from "../../src/vault/keyring.js";
import { createVault } from "../../src/vault/vault.js";
import { VaultError, type VaultErrorCode } from "../../src/vault/vault-error.js";
import { cardNumber, cardNumbers } from "../helpers/card-numbers.js";
import { rotate, testKeyring } from "./test-keyring.js";

const keyring = testKeyring();
const vault = createVault(keyring);
const NUMBER = cardNumber();
const BINDING = { request: "r_1", field: numberField(0) };

/** What opening ends in: the digits, or the error's code. */
async function outcome(opened: Promise<Pan>): Promise<string> {
  return opened.then(revealPan, (error: unknown) => {
    expect(error).toBeInstanceOf(VaultError);
    expect(inspect(error)).not.toContain(NUMBER);
    return (error as VaultError).code satisfies VaultErrorCode;
  });
}

describe("sealNumber and openNumber", () => {
  it("give back the digits, whatever the number looked like", async () => {
    const bindings = fc.record({ request: fc.string(), field: fc.string() });
    await fc.assert(
      fc.asyncProperty(cardNumbers(), bindings, async (number, binding) => {
        const jwe = await vault.sealNumber(new Pan(number.replace(/(.{4})/g, "$1 ")), binding);
        expect(await outcome(vault.openNumber(jwe, binding))).toBe(number);
      }),
      { numRuns: 50 },
    );
  });

  it("is a standard JWE that anybody with the key can open", async () => {
    const jwe = await vault.sealNumber(new Pan(NUMBER), BINDING);
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, activeKey(keyring, "jwe").secret);
    expect(Buffer.from(plaintext).toString()).toBe(NUMBER);
    expect(protectedHeader).toEqual({
      alg: "A256KW",
      enc: "A256GCM",
      kid: "jwe-a",
      rid: "r_1",
      fld: "cards.0.number",
      v: 1,
    });
    expect(jwe.length).toBeLessThan(300);
  });

  it("opens nothing that one character was changed of", async () => {
    const jwe = await vault.sealNumber(new Pan(NUMBER), BINDING);
    for (let at = 0; at < jwe.length; at++) {
      const changed = jwe.slice(0, at) + (jwe[at] === "A" ? "B" : "A") + jwe.slice(at + 1);
      expect(["vault-corrupt", "vault-key"]).toContain(await outcome(vault.openNumber(changed, BINDING)));
    }
  });

  it.each([
    { request: "r_2", field: BINDING.field },
    { request: "r_1", field: numberField(1) },
    { request: "r_1", field: SOURCE_FIELD },
  ])("does not open at another place: %o", async (elsewhere) => {
    const jwe = await vault.sealNumber(new Pan(NUMBER), BINDING);
    expect(await outcome(vault.openNumber(jwe, elsewhere))).toBe("vault-binding");
  });

  it("opens after a rotation what was sealed before it, and seals with the new key", async () => {
    const jwe = await vault.sealNumber(new Pan(NUMBER), BINDING);
    const rotated = createVault(rotate(keyring, testKeyring("b")));
    expect(await outcome(rotated.openNumber(jwe, BINDING))).toBe(NUMBER);
    const later = await rotated.sealNumber(new Pan(NUMBER), BINDING);
    expect(await outcome(vault.openNumber(later, BINDING))).toBe("vault-key");
    expect(await outcome(rotated.openNumber(later, BINDING))).toBe(NUMBER);
  });

  it.each([
    ["direct encryption", { alg: "dir", enc: "A256GCM" }],
    ["another content encryption", { alg: "A256KW", enc: "A128GCM" }],
    ["another key wrap", { alg: "A256GCMKW", enc: "A256GCM" }],
    ["compression", { alg: "A256KW", enc: "A256GCM", zip: "DEF" }],
  ])("refuses %s, even with the right key", async (_what, header) => {
    const forged = await new CompactEncrypt(Buffer.from(NUMBER))
      .setProtectedHeader({ ...header, kid: "jwe-a", rid: "r_1", fld: BINDING.field, v: 1 })
      .encrypt(activeKey(keyring, "jwe").secret);
    expect(await outcome(vault.openNumber(forged, BINDING))).toBe("vault-corrupt");
  });

  it("refuses a later version", async () => {
    const later = await new CompactEncrypt(Buffer.from(NUMBER))
      .setProtectedHeader({ alg: "A256KW", enc: "A256GCM", kid: "jwe-a", rid: "r_1", fld: BINDING.field, v: 2 })
      .encrypt(activeKey(keyring, "jwe").secret);
    expect(await outcome(vault.openNumber(later, BINDING))).toBe("vault-version");
  });

  it.each([
    ["", "vault-corrupt"],
    ["....", "vault-corrupt"],
    [`${base64url.encode("{}")}....`, "vault-corrupt"],
    [`${base64url.encode('{"alg":"A256KW","enc":"A256GCM","kid":"x"}')}.AAAA.AAAA.AAAA.AAAA`, "vault-key"],
    ["A".repeat(20_000), "vault-size"],
  ])("refuses %.60s", async (junk, code) => {
    expect(await outcome(vault.openNumber(junk, BINDING))).toBe(code);
  });

  it("never throws anything but VaultError, whatever it is given", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), (junk) => outcome(vault.openNumber(junk, BINDING)).then(() => undefined)),
    );
  });
});

describe("sealText and openText", () => {
  it("give back any reference up to the longest path", async () => {
    const binding = { request: "r_1", field: SOURCE_FIELD } as const;
    for (const text of [`/mnt/扫描/${NUMBER}.jpg`, "", "卡".repeat(1365), "x".repeat(8192)]) {
      expect(await vault.openText(await vault.sealText(text, binding), binding)).toBe(text);
    }
    await expect(vault.sealText("x".repeat(8193), binding)).rejects.toMatchObject({ code: "vault-size" });
  });
});

describe("fingerprint", () => {
  it("is the keyed hash of the digits, named by its key", () => {
    const secret = activeKey(keyring, "fingerprint").secret;
    const expected = createHmac("sha256", secret).update(`pan-fp:v1:${NUMBER}`).digest("base64url");
    expect(vault.fingerprint(new Pan(NUMBER))).toBe(`fp1.fingerprint-a.${expected}`);
    expect(expected).toHaveLength(43);
  });

  it("is equal for equal digits under one key, and for nothing else", () => {
    const spaced = new Pan(NUMBER.replace(/(.{4})/g, "$1 "));
    expect(vault.fingerprint(spaced)).toBe(vault.fingerprint(new Pan(NUMBER)));
    expect(vault.fingerprint(new Pan(`${NUMBER}0`))).not.toBe(vault.fingerprint(spaced));
    expect(createVault(testKeyring("b")).fingerprint(spaced)).not.toBe(vault.fingerprint(spaced));
  });
});
