import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openImage } from "../../src/image/open-image.js";
import {
  locate,
  nameSource,
  nameWithinSource,
  openReference,
  type ReadableRoots,
  requestOf,
  sealReference,
} from "../../src/recognition/resolve-reference.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { testKeyring } from "../vault/test-keyring.js";

const CARD = cardNumber();
const vault = createVault(testKeyring());

describe("a file under a root", () => {
  let base: string;
  let roots: ReadableRoots;
  const at = (...path: string[]) => join(base, ...path);

  beforeAll(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), "cardbatch-roots-")));
    for (const folder of ["archive/2019", "archive-other", "remembered", "secret"]) {
      await mkdir(at(folder), { recursive: true });
      await writeFile(at(folder, "a.jpg"), folder);
    }
    await symlink(at("secret"), at("archive/way-out"));
    await symlink(at("secret/a.jpg"), at("archive/a-way-out.jpg"));
    await symlink(at("archive/2019/a.jpg"), at("archive/within.jpg"));
    roots = { named: new Map([["archive", at("archive")]]), folders: [at("remembered")] };
  });
  afterAll(() => rm(base, { recursive: true }));

  const read = async (image: Parameters<typeof locate>[0]) => {
    const { path, root } = locate(image, roots);
    return openImage(path, { root }).toString();
  };

  test.each([
    [{ root: "archive", path: "2019/a.jpg" }, "archive/2019"],
    [{ root: "archive", path: "2019/./../2019/a.jpg" }, "archive/2019"],
    [{ root: "archive", path: "/2019/a.jpg" }, "archive/2019"],
    [{ root: "archive", path: "within.jpg" }, "archive/2019"],
  ])("%j is read", async (image, content) => {
    expect(await read(image)).toBe(content);
  });

  test.each([["archive/2019"], ["remembered"]])("by its absolute path in %s is read", async (folder) => {
    expect(await read({ path: at(folder, "a.jpg") })).toBe(folder);
  });

  test.each([
    ["another root", { root: "elsewhere", path: "a.jpg" }, "image-reference"],
    ["no root at all", { path: "2019/a.jpg" }, "image-reference"],
    ["nothing", {}, "image-reference"],
    ["a URL", { url: "https://example.test/a.jpg" }, "image-reference"],
    ["a URL of a file", { url: "file:///etc/passwd" }, "image-reference"],
    ["a zero byte", { root: "archive", path: "2019/a.jpg\0.png" }, "image-reference"],
    ["a way up", { root: "archive", path: "../secret/a.jpg" }, "image-outside-root"],
    ["a way up, down and up", { root: "archive", path: "2019/../../secret/a.jpg" }, "image-outside-root"],
    ["a way up to a folder of like name", { root: "archive", path: "../archive-other/a.jpg" }, "image-outside-root"],
    ["many ways up", { root: "archive", path: `${"../".repeat(50)}etc/passwd` }, "image-outside-root"],
    ["an absolute path of the system", { path: "/etc/passwd" }, "image-outside-root"],
    ["a device", { path: "/dev/zero" }, "image-outside-root"],
    ["a link out", { root: "archive", path: "a-way-out.jpg" }, "image-outside-root"],
    ["a linked folder out", { root: "archive", path: "way-out/a.jpg" }, "image-outside-root"],
    ["the root itself", { root: "archive", path: "." }, "image-outside-root"],
    ["a folder", { root: "archive", path: "2019" }, "image-not-a-file"],
    ["a name with a backslash for a slash", { root: "archive", path: "..\\secret\\a.jpg" }, "image-not-found"],
  ] as const)("%s is refused", async (_, image, code) => {
    await expect(read(image)).rejects.toMatchObject({ name: "ImageError", code });
  });

  test.each(["secret/a.jpg", "archive-other/a.jpg", "remembered/../secret/a.jpg", "archive/a-way-out.jpg"])(
    "the absolute path %s is refused",
    async (path) => {
      await expect(read({ path: `${base}/${path}` })).rejects.toMatchObject({ code: "image-outside-root" });
    },
  );

  test("is refused without a word of its path", () => {
    const path = `/nowhere/${CARD}.jpg`;
    expect(() => locate({ path }, roots)).toThrow(expect.not.stringContaining(CARD));
    expect(() => locate({ path: `${CARD}.jpg` }, roots)).toThrow(expect.not.stringContaining(CARD));
  });
});

describe("a reference that holds a card number", () => {
  const image = { root: "archive", path: `2019/${CARD}.jpg` };

  test("is encrypted, and opened in its own batch", async () => {
    const sealed = (await sealReference(image, "b", vault)) ?? "";
    expect(sealed).not.toContain(CARD);
    expect(await openReference({ sealed }, "b", vault)).toEqual(image);
  });

  test("stays as it is without one", async () => {
    expect(await sealReference({ root: "archive", path: "2019/a.jpg" }, "b", vault)).toBeNull();
  });

  test.each([
    ["of another batch", async () => (await sealReference(image, "other", vault)) ?? ""],
    ["of another keyring", async () => (await sealReference(image, "b", createVault(testKeyring("z")))) ?? ""],
    ["that was sealed as something else", () => vault.sealText("{}", { request: "b", field: "image.source" })],
    ["that is no JWE", async () => "nonsense"],
  ])("%s cannot be opened", async (_, seal) => {
    const opening = openReference({ sealed: await seal() }, "b", vault);
    await expect(opening).rejects.toMatchObject({ name: "ImageError", code: "image-reference" });
  });

  test("is masked where it is shown, with an encrypted way back", async () => {
    const request = requestOf("b", image, 0, null, vault);
    const { source, sourceJwe = "" } = await nameSource(image.path, request, vault);
    expect(source).not.toContain(CARD);
    expect(source).toContain(`${CARD.slice(0, 6)}******${CARD.slice(-4)}.jpg`);
    expect(await vault.openText(sourceJwe, { request, field: "image.source" })).toBe(image.path);
    expect(await nameSource("2019/a.jpg", request, vault)).toEqual({ source: "2019/a.jpg" });
  });
});

test.each([
  ["under the source's folder", { path: "/scans/a/b.jpg" }, "a/b.jpg"],
  ["under the source's root", { root: "archive", path: "2019/b.jpg" }, "b.jpg"],
  ["in no source", { path: "/elsewhere/b.jpg" }, "/elsewhere/b.jpg"],
  ["in a folder of like name", { path: "/scans-2/b.jpg" }, "/scans-2/b.jpg"],
  ["under another root of like path", { root: "other", path: "2019/b.jpg" }, "2019/b.jpg"],
  ["by URL", { url: "https://example.test/b.jpg" }, "https://example.test/b.jpg"],
])("an image %s is named %s", (_, image, name) => {
  expect(nameWithinSource(image, [{ path: "/scans" }, { root: "archive", path: "2019" }])).toBe(name);
});
