import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ImageError } from "../../src/domain/errors.js";
import { openStaging, type StageOptions } from "../../src/staging/staging.js";
import { openStaged, sealStaged } from "../../src/vault/staged-cipher.js";
import { tempFolder } from "../helpers/temp-folder.js";
import { testKeyring } from "../vault/test-keyring.js";

const KEYRING = testKeyring();
const OPTIONS: StageOptions = { maxBytes: 1000, accept: () => {} };

function open(folder = tempFolder()) {
  return openStaging(folder, {
    seal: (name) => sealStaged(KEYRING, name),
    unseal: (sealed, name) => openStaged(KEYRING, sealed, name),
  });
}

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

async function listOf(names: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of names) all.push(name);
  return all;
}

test("what was staged is on disk encrypted, read as it was, and gone when it is removed", async () => {
  const staging = await open();
  const staged = await staging.stage(chunks("the bytes ", "of an image"), OPTIONS);
  expect(staged).toMatchObject({ bytes: 21, key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
  expect(staged.head.toString()).toBe("the bytes of an image");
  const path = join(staging.folder, staged.name);
  expect(readFileSync(path, "latin1")).not.toContain("bytes");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await staging.read(staged.name)).toString()).toBe("the bytes of an image");
  await staging.remove(staged.name);
  await staging.remove(staged.name);
  expect(readdirSync(staging.folder)).toEqual([]);
});

test("a file in another's place, or changed by a bit, does not open", async () => {
  const staging = await open();
  const [a, b] = [await staging.stage(chunks("a"), OPTIONS), await staging.stage(chunks("b"), OPTIONS)];
  const bytes = readFileSync(join(staging.folder, a.name));
  writeFileSync(join(staging.folder, b.name), bytes);
  await expect(staging.read(b.name)).rejects.toMatchObject({ code: "vault-corrupt" });
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => openStaged(KEYRING, changed, a.name), `byte ${at}`).toThrow(/staged bytes/);
  }
  expect(() => openStaged(KEYRING, bytes.subarray(0, 20), a.name)).toThrow(/cut short/);
});

describe("what is not taken leaves nothing behind", () => {
  test.each<[string, AsyncIterable<Uint8Array>, Partial<StageOptions>, string]>([
    ["no bytes", chunks(), {}, "image-empty"],
    ["a byte too many", chunks("x".repeat(999), "xx"), {}, "image-too-large"],
    ["no image, after its first bytes", endless(), { accept: refuse }, "image-unsupported"],
    ["no image, all of it", chunks("x"), { accept: refuse }, "image-unsupported"],
  ])("%s", async (_name, source, options, code) => {
    const staging = await open();
    await expect(staging.stage(source, { ...OPTIONS, ...options })).rejects.toMatchObject({ code });
    expect(readdirSync(staging.folder)).toEqual([]);
  });

  test("a source that breaks", async () => {
    const staging = await open();
    async function* breaking() {
      yield Buffer.from("half");
      throw new Error("gone");
    }
    await expect(staging.stage(breaking(), OPTIONS)).rejects.toThrow("gone");
    expect(readdirSync(staging.folder)).toEqual([]);
  });
});

test("only what lies long enough is told as such, and nothing that is not ours", async () => {
  const staging = await open();
  const { name } = await staging.stage(chunks("old"), OPTIONS);
  await staging.stage(chunks("new"), OPTIONS);
  const part = `${"a".repeat(32)}.part`;
  for (const other of [part, "somebody-elses.txt"]) writeFileSync(join(staging.folder, other), "");
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const old of [name, part, "somebody-elses.txt"]) utimesSync(join(staging.folder, old), longAgo, longAgo);
  expect((await listOf(staging.olderThan(60_000))).sort()).toEqual([name, part].sort());
});

test("a folder that cannot be used says so", async () => {
  const file = join(tempFolder({ file: "x" }), "file");
  await expect(open(join(file, "below"))).rejects.toMatchObject({ code: "storage-unavailable" });
});

async function* endless(): AsyncIterable<Uint8Array> {
  for (;;) yield Buffer.alloc(100);
}

function refuse(): void {
  throw new ImageError("image-unsupported", "no picture");
}
