import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { CancelledError, ImageError } from "../../src/domain/errors.js";
import { factsOf } from "../../src/image/file-facts.js";
import { createFileReader, type FileReader, type FileReaderOptions } from "../../src/image/file-reader.js";
import { digestImage } from "../../src/image/open-image.js";

const NEVER = new AbortController().signal;

/** Stands in for the real thread: dies of a path that says so, never answers another. */
const FAKE = `
import { parentPort } from "node:worker_threads";
parentPort.on("message", ({ id, path }) => {
  if (path === "deadly") throw new Error("died");
  if (path !== "silent") parentPort.postMessage({ kind: "facts", id, facts: { key: path, pages: 1, isImage: true } });
});
`;

let folder: string;
let reader: FileReader;
const write = (name: string, bytes: Buffer) => {
  writeFileSync(join(folder, name), bytes);
  return bytes;
};
const open = (options: FileReaderOptions = {}) => {
  reader = createFileReader(options);
  return reader;
};
const openFake = () => open({ threads: 1, threadUrl: pathToFileURL(join(folder, "fake.mjs")) });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "file-reader-"));
  write("fake.mjs", Buffer.from(FAKE));
});
afterEach(() => reader.close());
afterAll(() => rmSync(folder, { recursive: true }));

it("tells of files what their bytes tell, small ones and large ones, many at a time", async () => {
  const { look } = open();
  const pixels = { width: 40, height: 30, channels: 3 as const, background: "grey" };
  const contents = [
    await sharp({ create: pixels }).jpeg().toBuffer(),
    await sharp({ create: pixels }).tiff().toBuffer(),
    Buffer.from("no picture"),
    randomBytes(3_000_000),
    randomBytes(20),
  ];
  const files = contents.map((bytes, i) => ({ bytes: write(`${i}.jpg`, bytes), path: join(folder, `${i}.jpg`) }));
  const often = Array.from({ length: 8 }, () => files).flat();
  const told = await Promise.all(often.map(({ path }) => look(path, folder, NEVER)));
  expect(told).toEqual(often.map(({ bytes }) => factsOf(bytes)));
});

it("hands over bytes that are its caller's own, with their key", async () => {
  const { read } = open();
  const contents = [write("a.jpg", randomBytes(1000)), write("b.jpg", randomBytes(2_000_000))];
  const opened = await Promise.all(["a.jpg", "b.jpg"].map((name) => read(join(folder, name), folder, NEVER)));
  expect(opened.map(({ key }) => key)).toEqual(contents.map(digestImage));
  expect(opened.every(({ bytes }, i) => contents[i]?.equals(bytes))).toBe(true);
});

it("tells what is wrong with a file by class and code, without its name", async () => {
  const { look, read } = open();
  write("secret-empty.jpg", Buffer.alloc(0));
  for (const [name, code] of [
    ["secret-missing.jpg", "image-not-found"],
    ["secret-empty.jpg", "image-empty"],
    ["../secret-outside.jpg", "image-not-found"],
    [".", "image-outside-root"],
  ] as const) {
    for (const ask of [look, read]) {
      const error = await ask(join(folder, name), folder, NEVER).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ImageError);
      expect(error).toMatchObject({ code });
      expect(String((error as Error).message)).not.toContain("secret");
    }
  }
});

it("stops when the signal has fired", async () => {
  await expect(open().look(join(folder, "a.jpg"), folder, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
});

it("goes on with another thread when one dies, and tells those who waited for it to come back", async () => {
  const { look } = openFake();
  const [dead, behind] = await Promise.allSettled([look("deadly", "", NEVER), look("silent", "", NEVER)]);
  for (const { reason } of [dead, behind] as PromiseRejectedResult[]) {
    expect(reason).toMatchObject({ code: "internal", disposition: "retry" });
  }
  expect(await look("next", "", NEVER)).toMatchObject({ key: "next" });
});

it("leaves nobody waiting when it is closed", async () => {
  const { look, close } = openFake();
  const waiting = look("silent", "", NEVER);
  waiting.catch(() => {});
  await close();
  await expect(waiting).rejects.toMatchObject({ code: "internal" });
});
