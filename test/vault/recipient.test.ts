import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, compactDecrypt } from "jose";
import { describe, expect, it } from "vitest";
import { numberField, SOURCE_FIELD } from "../../src/domain/card-vault.js";
import { UsageError } from "../../src/domain/errors.js";
import { Pan } from "../../src/domain/pan.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { rotate, testKeyring } from "./test-keyring.js";

const vault = createVault(testKeyring());
const NUMBER = cardNumber();
const BINDING = { request: "r_1", field: numberField(0) };
const CURVES = ["P-256", "P-384", "P-521", "X25519"] as const;

function keyPair(curve: (typeof CURVES)[number]): { publicKey: KeyObject; privateKey: KeyObject } {
  return curve === "X25519" ? generateKeyPairSync("x25519") : generateKeyPairSync("ec", { namedCurve: curve });
}

function jwkOf(key: KeyObject): Record<string, unknown> {
  return key.export({ format: "jwk" }) as Record<string, unknown>;
}

const PAIR = keyPair("P-256");
const PUBLIC = jwkOf(PAIR.publicKey);

describe("what is encrypted to an asker's public key", () => {
  it.each(CURVES)("is a standard JWE that the private key on %s opens, in another library", async (curve) => {
    const { publicKey, privateKey } = keyPair(curve);
    const seal = vault.sealFor("crm", vault.recordRecipient("crm", { ...jwkOf(publicKey), kid: "mine" }));
    const jwe = await seal.sealNumber(new Pan(NUMBER), BINDING);
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, privateKey);
    expect(Buffer.from(plaintext).toString()).toBe(NUMBER);
    const header = { alg: "ECDH-ES+A256KW", enc: "A256GCM", kid: "mine", rid: "r_1", fld: "cards.0.number", v: 1 };
    expect(protectedHeader).toEqual({ ...header, epk: expect.objectContaining({ crv: curve }) });
  });

  it("is opened by nothing that the workers hold, and has no fingerprint to try numbers against", async () => {
    const seal = vault.sealFor("crm", vault.recordRecipient("crm", PUBLIC));
    const jwe = await seal.sealNumber(new Pan(NUMBER), BINDING);
    await expect(vault.openNumber(jwe, BINDING)).rejects.toMatchObject({ code: "vault-recipient" });
    expect(seal.fingerprint(new Pan(NUMBER))).toBeNull();
    const source = { request: "r_1", field: SOURCE_FIELD } as const;
    const name = await seal.sealText(`${NUMBER}.jpg`, source);
    await expect(vault.openText(name, source)).rejects.toMatchObject({ code: "vault-recipient" });
    expect(Buffer.from((await compactDecrypt(name, PAIR.privateKey)).plaintext).toString()).toBe(`${NUMBER}.jpg`);
  });

  it("uses another key pair each time", async () => {
    const seal = vault.sealFor("crm", vault.recordRecipient("crm", PUBLIC));
    const headers = await Promise.all([1, 2, 3].map(() => seal.sealNumber(new Pan(NUMBER), BINDING)));
    expect(new Set(headers.map((jwe) => jwe.split(".")[0])).size).toBe(3);
  });

  it("is named by the key's thumbprint when the key has no name", async () => {
    const record = JSON.parse(vault.recordRecipient("crm", PUBLIC)) as { jwk: { kid: string } };
    expect(record.jwk.kid).toBe(await calculateJwkThumbprint(PAIR.publicKey));
  });
});

describe("recordRecipient refuses", () => {
  const off = Buffer.alloc(32, 7).toString("base64url");
  it.each([
    ["a private key", { ...jwkOf(PAIR.privateKey) }],
    ["a private key of another kind", jwkOf(keyPair("X25519").privateKey)],
    ["a secret", { kty: "oct", k: "AAAA" }],
    ["RSA", jwkOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey)],
    ["Ed25519", jwkOf(generateKeyPairSync("ed25519").publicKey)],
    ["secp256k1", jwkOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey)],
    ["a point that is not on the curve", { ...PUBLIC, x: off }],
    ["a point that agrees on nothing", { kty: "OKP", crv: "X25519", x: Buffer.alloc(32).toString("base64url") }],
    ["too short a point", { kty: "OKP", crv: "X25519", x: "AAAA" }],
    ["a key for signatures", { ...PUBLIC, use: "sig" }],
    ["a key for another algorithm", { ...PUBLIC, alg: "ECDH-ES" }],
    ["a key whose operations are others", { ...PUBLIC, key_ops: ["verify"] }],
    ["a card number as the key's name", { ...PUBLIC, kid: NUMBER }],
    ["an endless name", { ...PUBLIC, kid: "k".repeat(129) }],
    ["a set of keys", { keys: [PUBLIC] }],
    ["null", null],
    ["text", "P-256"],
    ["an array", [PUBLIC]],
  ])("%s", (_what, jwk) => {
    const failure = catchError(() => vault.recordRecipient("crm", jwk));
    expect(failure).toBeInstanceOf(UsageError);
    const secrets = [NUMBER, String((jwk as Record<string, unknown> | null)?.d ?? "-none-")];
    for (const secret of secrets) expect(failure.message).not.toContain(secret);
  });
});

describe("a record that was not made for this destination with this keyring is refused", () => {
  const record = vault.recordRecipient("crm", PUBLIC);
  const { jwk, mac } = JSON.parse(record) as { jwk: object; mac: string };
  const attackers = createVault(testKeyring("b")).recordRecipient("crm", jwkOf(keyPair("P-256").publicKey));
  it.each([
    ["another destination's", "erp", record],
    ["another keyring's", "crm", attackers],
    ["with another key", "crm", JSON.stringify({ jwk: jwkOf(keyPair("P-256").publicKey), mac })],
    ["with another name", "crm", JSON.stringify({ jwk: { ...jwk, kid: "other" }, mac })],
    ["without a digest", "crm", JSON.stringify({ jwk })],
    ["no JSON", "crm", "{"],
    ["null", "crm", "null"],
    ["a private key", "crm", JSON.stringify({ jwk: jwkOf(PAIR.privateKey), mac })],
  ])("%s", (_what, destination, forged) => {
    expect(() => vault.sealFor(destination, forged)).toThrow(expect.objectContaining({ code: "vault-recipient" }));
  });

  it("but it outlives a rotation of the keyring", () => {
    const rotated = createVault(rotate(testKeyring(), testKeyring("b")));
    expect(() => rotated.sealFor("crm", record)).not.toThrow();
  });
});

function catchError(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}
