import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/domain/errors.js";
import { listManifest } from "../../src/intake/manifest.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { collect } from "../helpers/collect.js";
import { addFiles, tempFolder } from "../helpers/temp-folder.js";

interface Options {
  readonly encoding?: string;
  readonly roots?: ReadonlyMap<string, string>;
  readonly folder?: string;
}

/** Lists a manifest with this content; each image as `source`, `source ref` or `source !problem`. */
async function list(name: string, content: string | Uint8Array, options: Options = {}): Promise<string[]> {
  const { encoding = "utf-8", roots = new Map(), folder = tempFolder() } = options;
  addFiles(folder, { [name]: content });
  const manifest = { path: join(folder, name), folder, roots, encoding };
  const all = await collect(listManifest(manifest, new AbortController().signal));
  return all.map(({ source, ref, problem }) => {
    if (problem !== null) return `${source} !${problem.code}`;
    return ref === null ? source : `${source} ${ref}`;
  });
}

describe("manifests", () => {
  test.each([
    ["list.txt", "a.jpg\nb c.jpg\n", ["a.jpg", "b c.jpg"]],
    ["list.txt", "\uFEFFa.jpg\r\n\r\n  b.jpg  \r\nlast.jpg", ["a.jpg", "b.jpg", "last.jpg"]],
    ["list.txt", "a.jpg\rb.jpg\r", ["a.jpg", "b.jpg"]],
    ["list.txt", "", []],
    ["list.txt", "\n\n \n", []],
    ["LIST.TXT", "银行卡.jpg\n", ["银行卡.jpg"]],
    ["list.csv", "source,ref\na.jpg,1\nb.jpg,\n", ["a.jpg 1", "b.jpg"]],
    ["list.csv", "\uFEFFref, source \r\n7,a.jpg\r\n", ["a.jpg 7"]],
    ["list.csv", 'source,note,ref\n"b,c.jpg","two\nlines, ""quoted""",x\na.jpg,,y\n', ["b,c.jpg x", "a.jpg y"]],
    ["list.csv", "source,ref\nshort\nlong.jpg,1,2,3\r\n\nlast.jpg,4", ["short", "long.jpg 1", "last.jpg 4"]],
    ["list.csv", "source\n", []],
    ["list.csv", "", []],
    ["list.ndjson", '{"source":"a.jpg","ref":"1"}\n\n{"source":"b.jpg","ref":null}', ["a.jpg 1", "b.jpg"]],
    ["list.ndjson", '\uFEFF{"source":"a\\u2028.jpg","ref":12}\r\n', ["a\u2028.jpg 12"]],
    ["list.jsonl", '{"source":"a\u2028.jpg","other":{"x":1}}\n', ["a\u2028.jpg"]],
  ])("%s: %j", async (name, content, expected) => {
    expect(await list(name, content)).toEqual(expected);
  });

  test("other encodings", async () => {
    const gb18030 = Buffer.from([0xd2, 0xf8, 0xd0, 0xd0, 0x2e, 0x6a, 0x70, 0x67, 0x0a]);
    expect(await list("list.txt", gb18030, { encoding: "gb18030" })).toEqual(["银行.jpg"]);
    expect(await list("list.txt", Buffer.from("\uFEFF银行.jpg", "utf16le"), { encoding: "utf-16le" })).toEqual([
      "银行.jpg",
    ]);
    expect(await list("list.txt", gb18030)).toEqual(["\uFFFD\uFFFD\uFFFD\uFFFD.jpg"]);
  });

  test.each([
    ["list.ndjson", '{"source":"a.jpg"}\n{broken\n{"source":7}\n[]\nnull\n{"source":""}\n{"source":"b.jpg"}'],
    ["list.csv", 'ref,source\n1,a.jpg\n2\n3,""\n"4"x,c.jpg\n5,a\0.jpg\n6,\n7,b.jpg\n'],
  ])("what names no file is a problem of its line, and of no other: %s", async (name, content) => {
    const lines = [2, 3, 4, 5, 6].map((line) => `${name}:${name.endsWith("csv") ? line + 1 : line} !image-reference`);
    const [first, ...rest] = await list(name, content);
    expect(first).toMatch(/^a\.jpg/);
    expect(rest.at(-1)).toMatch(/^b\.jpg/);
    expect(rest.slice(0, -1)).toEqual(lines);
  });

  test("a quote that is never closed costs its line", async () => {
    const rest = Array.from({ length: 8000 }, (_, i) => `${i}.jpg,${i}`);
    const all = await list("list.csv", ["source,ref", '"open.jpg,x', ...rest, '"again.jpg,x', "z.jpg,z"].join("\n"));
    expect(all).toEqual([
      "list.csv:2 !image-reference",
      ...rest.map((line) => line.replace(",", " ")),
      "list.csv:8003 !image-reference",
      "z.jpg z",
    ]);
  });

  test.each(["list.txt", "list.csv", "list.ndjson"])("a line of many megabytes costs itself: %s", async (name) => {
    const huge = "x".repeat(5_000_000);
    const line = {
      "list.txt": (s: string) => s,
      "list.csv": (s: string) => s,
      "list.ndjson": (s: string) => `{"source":"${s}"}`,
    };
    const of = line[name as keyof typeof line];
    const header = name === "list.csv" ? ["source"] : [];
    const all = await list(name, [...header, of("a.jpg"), of(huge), of("b.jpg")].join("\r\n"));
    expect(all).toEqual(["a.jpg", `${name}:${header.length + 2} !image-reference`, "b.jpg"]);
  });

  test.each([
    ["no such column", "name,ref\na.jpg,1\n"],
    ["not even a header", '"open\n'],
  ])("a CSV with %s is no manifest", async (_, content) => {
    await expect(list("list.csv", content)).rejects.toThrow(UsageError);
  });

  test("refs are returned as given, and refused when too long or when they hold a card number", async () => {
    const number = cardNumber();
    const refs = [
      "x".repeat(128),
      "x".repeat(129),
      number,
      `order ${number}`,
      12345,
      1.5,
      2 ** 60,
      { a: 1 },
      true,
      "卡 1",
    ];
    const content = refs.map((ref, i) => JSON.stringify({ source: `${i}.jpg`, ref })).join("\n");
    const refused = (i: number) => `${i}.jpg !ref-refused`;
    expect(await list("list.ndjson", content)).toEqual([
      `0.jpg ${"x".repeat(128)}`,
      ...[1, 2, 3].map(refused),
      "4.jpg 12345",
      ...[5, 6, 7, 8].map(refused),
      "9.jpg 卡 1",
    ]);
  });

  test("names files in its folder and in roots, however they are led to", async () => {
    const folder = tempFolder({ "in/a.jpg": "x" });
    const root = tempFolder({ "r.jpg": "x" });
    const elsewhere = tempFolder({ "secret.jpg": "x" });
    symlinkSync(folder, join(elsewhere, "to-folder"));
    const content = [
      "in/../in/a.jpg",
      join(folder, "in/a.jpg"),
      join(elsewhere, "to-folder/in/a.jpg"),
      join(root, "r.jpg"),
      join(elsewhere, "secret.jpg"),
      `../${elsewhere.split("/").at(-1)}/secret.jpg`,
      `${root}-evil/r.jpg`,
      "/etc/passwd",
    ];
    const all = await list("list.txt", content.join("\n"), { folder, roots: new Map([["r", root]]) });
    expect(all).toEqual([
      "in/a.jpg",
      "in/a.jpg",
      "in/a.jpg",
      join(root, "r.jpg"),
      ...content.slice(4).map((line) => `${line} !image-outside-root`),
    ]);
  });

  test("lines with the same mistake are requests of their own", async () => {
    const folder = tempFolder({
      "list.ndjson": '{\n{\n{"source":"a.jpg","ref":[]}\n{"source":"a.jpg","ref":{}}\n{"source":"a.jpg"}',
    });
    const manifest = { path: join(folder, "list.ndjson"), folder, roots: new Map(), encoding: "utf-8" };
    const all = await collect(listManifest(manifest, new AbortController().signal));
    expect(new Set(all.map(({ path }) => path)).size).toBe(5);
  });

  test.skipIf(process.platform !== "linux").each(["list.txt", "list.csv", "list.ndjson"])(
    "a file that cannot be read to its end is told: %s",
    async (name) => {
      const folder = tempFolder();
      // Opens, and fails at the first read.
      symlinkSync("/proc/self/mem", join(folder, name));
      const manifest = { path: join(folder, name), folder, roots: new Map(), encoding: "utf-8" };
      await expect(collect(listManifest(manifest, new AbortController().signal))).rejects.toThrow(
        new UsageError(`${folder}/${name}: cannot be read (EIO)`),
      );
    },
  );

  test("is read no faster than it is used", async () => {
    const folder = tempFolder({ "list.txt": "a.jpg\n".repeat(1_000_000) });
    const manifest = { path: join(folder, "list.txt"), folder, roots: new Map(), encoding: "utf-8" };
    const before = process.memoryUsage().heapUsed;
    let count = 0;
    for await (const _ of listManifest(manifest, new AbortController().signal)) if (++count === 10_000) break;
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(30_000_000);
  });
});
