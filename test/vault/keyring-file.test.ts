import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/domain/errors.js";
import { KEY_USES, type KeyringFile } from "../../src/vault/keyring.js";
import { createKeyring, loadKeyring } from "../../src/vault/keyring-file.js";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cardbatch-keyring-"));
  path = join(folder, "config", "keyring.json");
});
afterEach(() => rm(folder, { recursive: true }));

describe("createKeyring", () => {
  it("makes a file for its owner alone, with an active key for each use", async () => {
    const { keyring, created } = await createKeyring(path, () => new Date("2026-11-22T08:00:00Z"));
    expect(created).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(keyring).toMatchObject({ id: expect.stringMatching(/^kr_/), created: "2026-11-22T08:00:00.000Z" });
    expect(keyring.keys.map(({ use, active }) => ({ use, active }))).toEqual(
      KEY_USES.map((use) => ({ use, active: true })),
    );
  });

  it("has one winner among many at once, and all get the same keyring", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => createKeyring(path)));
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(all.map(({ keyring }) => keyring.id)).size).toBe(1);
    expect(await readdir(join(folder, "config"))).toEqual(["keyring.json"]);
  });

  it("leaves a file alone that is there, whatever it is", async () => {
    await createKeyring(path);
    await writeFile(path, "not a keyring");
    await expect(createKeyring(path)).rejects.toThrow(ConfigError);
    expect(await readFile(path, "utf8")).toBe("not a keyring");
  });

  it("makes a new id and new keys each time", async () => {
    const [one, two] = [await createKeyring(path), await createKeyring(`${path}.2`)];
    expect(one.keyring.id).not.toBe(two.keyring.id);
    const kids = [...one.keyring.keys, ...two.keyring.keys].map(({ kid }) => kid);
    expect(new Set(kids).size).toBe(2 * KEY_USES.length);
  });

  it("says so where nothing can be written", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(createKeyring(join(folder, "file", "keyring.json"))).rejects.toThrow(/could be made.*ENOTDIR|EEXIST/);
  });
});

describe("loadKeyring", () => {
  it.each([0o640, 0o604, 0o660, 0o666])("refuses mode %o and says what to run", async (mode) => {
    await createKeyring(path);
    await chmod(path, mode);
    await expect(loadKeyring(path)).rejects.toThrow(`chmod 600 '${path}'`);
  });

  it("follows a link, as mounted secrets are", async () => {
    const { keyring } = await createKeyring(path);
    await symlink(path, join(folder, "link"));
    expect((await loadKeyring(join(folder, "link"))).id).toBe(keyring.id);
  });

  it("tells how to make one where there is none", async () => {
    await expect(loadKeyring(path)).rejects.toThrow("cardbatch keys init");
  });

  it.each<[what: string, change: (file: KeyringFile) => void, field: string]>([
    ["a later schema", (file) => Object.assign(file, { schema: 2 }), "schema"],
    ["no keys", (file) => file.keys.splice(0), "keys"],
    ["a short key", ({ keys: [key] }) => Object.assign(key ?? {}, { k: "AAAA" }), "keys.0.k"],
    ["a dot in a key's name", ({ keys: [key] }) => Object.assign(key ?? {}, { kid: "a.b" }), "keys.0.kid"],
    ["two keys of one name", ({ keys }) => keys.forEach((key) => void Object.assign(key, { kid: "same" })), "keys"],
    ["two active keys", ({ keys }) => keys.forEach((key) => void Object.assign(key, { use: "jwe" })), "keys"],
  ])("refuses %s and names the field", async (_what, change, field) => {
    await createKeyring(path);
    const file: KeyringFile = JSON.parse(await readFile(path, "utf8"));
    change(file);
    await writeFile(path, JSON.stringify(file));
    await expect(loadKeyring(path)).rejects.toThrow(`not a keyring of schema 1: ${field} cannot be used`);
  });

  it("quotes nothing of a damaged file", async () => {
    await createKeyring(path);
    const secret = JSON.parse(await readFile(path, "utf8")).keys[0].k;
    for (const damaged of [`{"k":"${secret}"`, secret, `"${secret}"`]) {
      await writeFile(path, damaged);
      const error = await loadKeyring(path).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ConfigError);
      expect(inspect(error)).not.toContain(secret.slice(0, 8));
    }
  });

  it("prints no key material", async () => {
    const { keyring } = await createKeyring(path);
    const { keys } = JSON.parse(await readFile(path, "utf8"));
    for (const print of [inspect(keyring, { depth: 9, showHidden: true }), JSON.stringify(keyring)]) {
      for (const { k } of keys) expect(print).not.toContain(k);
    }
  });
});
