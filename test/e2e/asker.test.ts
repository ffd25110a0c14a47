import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { compactDecrypt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  startEmulator,
} from "../helpers/cli.js";

const PAIR = generateKeyPairSync("ec", { namedCurve: "P-256" });

let place: Place;
let emulator: RunningEmulator;
beforeAll(async () => {
  place = openPlace();
  emulator = await startEmulator(place);
  expect((await place.run(["keys", "init"])).code).toBe(0);
  await drawArchive(place.path("archive"), 5);
  await writeFile(place.path("public.jwk"), JSON.stringify(PAIR.publicKey.export({ format: "jwk" })));
  await writeFile(place.path("private.jwk"), JSON.stringify(PAIR.privateKey.export({ format: "jwk" })));
});
afterAll(() => place.close());

test("a destination with a public key gets numbers that only its private key opens", async () => {
  const { provider, env } = callerSettings(emulator.url);
  expect((await place.run(["keys", "destination", "add", "crm", "--jwk", "public.jwk"])).code).toBe(0);
  const listed = await place.run(["keys", "destination", "list"]);
  const { destination, jwk } = JSON.parse(listed.stdout) as { destination: string; jwk: { kid: string } };
  expect(destination).toBe("crm");
  const run = (...args: string[]) => place.run(["run", "archive", "--provider", provider, ...args], env);
  expect((await run("--batch", "theirs", "--destination", "crm", "--out", "out")).code).toBe(0);
  expect((await run("--batch", "ours", "--out", "own")).code).toBe(0);

  const theirs = readOut(place.path("out")).results;
  expect(theirs).toHaveLength(5);
  for (const { cards, request } of theirs) {
    const { masked, jwe, fingerprint } = cards[0]?.number ?? { masked: "", jwe: "", fingerprint: "" };
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, PAIR.privateKey);
    const digits = Buffer.from(plaintext).toString();
    expect(`${digits.slice(0, 6)}*********${digits.slice(-4)}`).toBe(masked);
    expect(protectedHeader).toMatchObject({ kid: jwk.kid, rid: request, fld: "cards.0.number" });
    expect(fingerprint).toBeNull();
  }
  const revealed = await place.run(["reveal", "out/results.ndjson", "--reason", "test"]);
  expect(revealed.code).toBe(1);
  expect(revealed.stderr.match(/vault-recipient/g)).toHaveLength(5);
  expect(revealed.stdout).toBe(readFileSync(place.path("out", "results.ndjson"), "utf8"));

  // The same images in a batch of one's own: the keyring opens them as ever, and nothing is called again.
  expect((await place.run(["reveal", "own/results.ndjson", "--reason", "test"])).code).toBe(0);
  expect((await emulator.report()).totals.calls).toBe(5);

  expect((await place.run(["keys", "destination", "remove", "crm"])).code).toBe(0);
  expect((await place.run(["keys", "destination", "remove", "crm"])).code).toBe(2);
});

test.each([
  ["a private key", "private.jwk", "private parts"],
  ["no JWK", "archive/0000/000000.png", "not JSON"],
  ["no file", "missing.jwk", "cannot be read"],
])("refuses %s", async (_what, file, words) => {
  const { code, stderr } = await place.run(["keys", "destination", "add", "crm", "--jwk", file]);
  expect({ code, isTold: stderr.includes(words) }).toEqual({ code: 2, isTold: true });
  expect(stderr).not.toContain(String(PAIR.privateKey.export({ format: "jwk" }).d));
});
