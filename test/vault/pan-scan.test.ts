import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../src/domain/errors.js";
import { maskDigits } from "../../src/domain/pan.js";
import { createCanaries, loadCanaries } from "../../src/vault/canaries.js";
import { createPanScanner, type PlaceReport } from "../../src/vault/pan-scan.js";
import { cardNumber } from "../helpers/card-numbers.js";

const CANARY = cardNumber("622588", 16, 7);
/** Of no network at all: a canary is found for what it is. */
const ODD_CANARY = "7000123456789012345";
const NUMBERS = [CANARY, ODD_CANARY];
const canaries = createCanaries(NUMBERS);
const never = new AbortController().signal;

const fullWidth = (text: string) => text.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
const grouped = (separator: string) => (number: string) => number.match(/.{1,4}/g)?.join(separator) ?? "";
const each = (write: (code: number) => string) => (number: string) =>
  [...number].map((digit) => write(digit.charCodeAt(0))).join("");
const base64 = (text: string) => Buffer.from(text).toString("base64");
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();

const DISGUISES: readonly (readonly [form: string, write: (number: string) => string | Buffer])[] = [
  ["plain", (number) => number],
  ["plain", (number) => `123${number}456`],
  ["plain", (number) => `x${number}x`],
  ["separated", grouped(" ")],
  ["separated", grouped("-")],
  ["separated", grouped("\u00a0")],
  ["separated", grouped('","')],
  ["separated", (number) => Buffer.from(`卡${number}`, "utf16le")],
  ["separated", (number) => utf16be(`卡${number}`)],
  ["separated", (number) => Buffer.from(grouped(" ")(number), "utf16le")],
  ["reversed", (number) => [...number].reverse().join("")],
  ["base64", base64],
  ["base64", (number) => base64(`a${number}`)],
  ["base64", (number) => base64(`ab${number}`)],
  ["base64", (number) => `path/abc${base64(JSON.stringify({ number }))}`],
  ["base64", (number) => Buffer.from(`\xff\xfe${number}\xff`, "latin1").toString("base64url")],
  ["base64", (number) => base64(number).replace(/(.{5})/g, "$1\r\n")],
  ["base64", (number) => base64(grouped(" ")(number))],
  ["base64", (number) => Buffer.from(number, "utf16le").toString("base64")],
  ["base64", (number) => gzipSync(`number ${number}`).toString("base64")],
  ["hex", (number) => Buffer.from(number).toString("hex")],
  ["hex", (number) => `a${Buffer.from(number).toString("hex").toUpperCase()}`],
  ["hex", (number) => Buffer.from(number).toString("hex").replace(/(..)/g, "$1 ")],
  ["escapes", each((code) => `%${code.toString(16)}`)],
  ["escapes", grouped("%20")],
  ["escapes", (number) => encodeURIComponent(fullWidth(number))],
  ["escapes", each((code) => `\\u00${code.toString(16)}`)],
  ["escapes", (number) => JSON.stringify(JSON.stringify(each((code) => `\\u00${code.toString(16)}`)(number)))],
  ["escapes", each((code) => `\\uff1${code - 48}`)],
  ["escapes", each((code) => `\\x${code.toString(16)}`)],
  ["escapes", each((code) => `&#${code};`)],
  ["escapes", each((code) => `&#x${code.toString(16)};`)],
  ["escapes", grouped("\\t")],
  ["escapes", fullWidth],
  ["escapes", (number) => Buffer.from(each((code) => `\xa3${String.fromCharCode(code + 128)}`)(number), "latin1")],
  ["gzip", (number) => namedGzip(`{"n":"${number}"}`)],
  ["gzip", (number) => Buffer.concat([Buffer.from("$5 "), gzipSync(`x ${number} y`)])],
];

/** As the gzip program writes it, with the file's name in the header. */
function namedGzip(text: string): Buffer {
  const zipped = gzipSync(text);
  zipped[3] = 8;
  return Buffer.concat([zipped.subarray(0, 10), Buffer.from("scan.log\0"), zipped.subarray(10)]);
}

const bytesOf = (written: string | Buffer) => (typeof written === "string" ? Buffer.from(written) : written);

async function collect(reports: AsyncIterable<PlaceReport>): Promise<PlaceReport[]> {
  const all: PlaceReport[] = [];
  for await (const report of reports) all.push(report);
  return all;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cardbatch-scan-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("with canaries", () => {
  const scanner = createPanScanner({ canaries });

  it.each(DISGUISES)("finds a number in %s (%#) wherever a chunk ends", async (form, write) => {
    for (const number of NUMBERS) {
      const planted = bytesOf(write(number));
      const content = Buffer.concat([
        Buffer.from("one\ntwo\n"),
        Buffer.alloc(140_000, "z "),
        planted,
        Buffer.from(" end"),
      ]);
      for (const chunkBytes of [content.length, 65_537 + planted.length, 140_011]) {
        const report = await scanner.scanStream("log", inChunks(content, chunkBytes));
        expect(report.finds.map(({ masked }) => masked)).toContain(maskDigits(number));
        expect(report.finds[0]).toMatchObject({ form: expect.stringContaining(form), line: 3 });
        const { offset = 0 } = report.finds[0] ?? {};
        expect(Math.abs(offset - 140_008)).toBeLessThanOrEqual(planted.length);
        expect(report.count).toBe(1);
      }
    }
  });

  it("raises no alarm on a million random tokens, nor on any other number", { timeout: 60_000 }, () => {
    for (let block = 0; block < 100; block++) {
      const tokens = Array.from({ length: 10_000 }, (_, index) => tokenOf(block * 10_000 + index));
      expect(scanner.scanValue("tokens", Buffer.from(tokens.join("\n")))).toMatchObject({ count: 0, notes: [] });
    }
    const others = Array.from({ length: 1000 }, (_, seed) => cardNumber("622588", 16, seed + 1000)).filter(
      (number) => number !== CANARY,
    );
    expect(scanner.scanValue("numbers", Buffer.from(others.join(" "))).count).toBe(0);
    expect(scanner.scanValue("masked", Buffer.from(maskDigits(CANARY))).count).toBe(0);
  });

  it("takes the canaries from a list or a truth file", async () => {
    const path = join(folder, "truth.csv");
    await writeFile(path, `file,page,number\na.jpg,0,${CANARY}\nb.jpg,0,${ODD_CANARY}\n`);
    expect((await loadCanaries(path)).count).toBe(2);
    await writeFile(path, "file,page,number\n");
    await expect(loadCanaries(path)).rejects.toThrow(UsageError);
  });

  it("finds a number in a place's name and does not print it", () => {
    for (const number of NUMBERS) {
      const report = scanner.scanValue(`key:${number}`, Buffer.from("harmless"));
      expect(report).toMatchObject({ count: 1, inName: true, finds: [] });
      expect(JSON.stringify(report)).not.toContain(number);
    }
  });
});

describe("without canaries", () => {
  const scanner = createPanScanner();

  it("finds what looks like a card number, with its line and offset, and prints it masked", () => {
    const content = Buffer.from(`{"a":1}\n{"name":"卡","n":"${CANARY}"}\n${fullWidth(CANARY)}`);
    const report = scanner.scanValue("out/results.ndjson", content);
    expect(report).toMatchObject({ place: "out/results.ndjson", count: 2, bytes: content.length, inName: false });
    expect(report.finds).toEqual([
      { line: 2, offset: content.indexOf(CANARY), form: "plain", masked: maskDigits(CANARY) },
      { line: 3, offset: content.indexOf(fullWidth(CANARY)), form: "plain", masked: maskDigits(CANARY) },
    ]);
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });

  it("finds each number once, wherever the chunks end, in text and between other bytes", async () => {
    const numbers = Array.from({ length: 3000 }, (_, seed) => cardNumber("622588", 16, seed));
    for (const between of [" – ", "\xff\0"]) {
      const content = Buffer.from(numbers.join(between + "y ".repeat(50)), between === " – " ? "utf8" : "latin1");
      for (const chunkBytes of [content.length, 65_600, 100_003]) {
        const report = await scanner.scanStream("log", inChunks(content, chunkBytes));
        expect(report.count).toBe(numbers.length);
        expect(report.finds.every(({ offset }, index) => content.indexOf(numbers[index] ?? "") === offset)).toBe(true);
      }
    }
  });

  it("raises no alarm on image keys, sealed values and clocks", () => {
    for (let block = 0; block < 20; block++) {
      const tokens = Array.from({ length: 10_000 }, (_, index) => tokenOf(block * 10_000 + index));
      const content = Buffer.from(JSON.stringify([tokens, 1_731_234_567_890 + block, 0.9991 / (block + 1)]));
      expect(scanner.scanValue("tokens", content).count).toBe(0);
    }
  });
});

describe("scanPath", () => {
  it("looks through files and folders, inflates, and says what it could not read", async () => {
    await mkdir(join(folder, "logs", "old"), { recursive: true });
    await writeFile(join(folder, "logs", "a.log"), `x\n${CANARY}\n`);
    await writeFile(join(folder, "logs", "old", "b.log.1"), gzipSync(`y\n${CANARY}`));
    await writeFile(join(folder, "logs", "cut.gz"), gzipSync(Buffer.alloc(50_000, CANARY)).subarray(0, -8));
    await writeFile(join(folder, "logs", "dump.rdb"), "REDIS0011");
    await writeFile(join(folder, "logs", "clean.log"), "nothing");
    await symlink("/etc", join(folder, "logs", "link"));
    const scanner = createPanScanner({ canaries, maxFindsPerPlace: 2 });
    const reports = await collect(scanner.scanPath(folder, never));
    const byName = Object.fromEntries(reports.map((report) => [report.place.split("/").at(-1), report]));
    expect(Object.keys(byName).sort()).toEqual(["a.log", "b.log.1", "cut.gz", "dump.rdb"]);
    expect(byName["a.log"]).toMatchObject({ count: 1, finds: [{ line: 2, offset: 2 }], notes: [] });
    expect(byName["b.log.1"]).toMatchObject({ count: 1, finds: [{ line: 2, offset: 2 }], notes: [] });
    expect(byName["cut.gz"]?.count).toBeGreaterThan(1000);
    expect(byName["cut.gz"]).toMatchObject({ finds: { length: 2 }, notes: [expect.stringContaining("Z_BUF_ERROR")] });
    expect(byName["dump.rdb"]).toMatchObject({ count: 0, notes: [expect.stringContaining("LZF")] });
    expect(scanner.totals()).toMatchObject({ places: 5 });
  });

  it("finds a number planted in a Redis append-only file", async () => {
    const path = join(folder, "appendonly.aof.1.incr.aof");
    await writeFile(path, `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16\r\n${CANARY}\r\n`);
    expect(await collect(createPanScanner().scanPath(path, never))).toMatchObject([{ count: 1 }]);
  });

  it("throws where there is nothing, and stops when asked", async () => {
    await expect(collect(createPanScanner().scanPath(join(folder, "none"), never))).rejects.toThrow(UsageError);
    await writeFile(join(folder, "a"), "a");
    await expect(collect(createPanScanner().scanPath(folder, AbortSignal.abort()))).rejects.toThrow("abort");
  });
});

async function* inChunks(content: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

/** Random-looking, the same in every run: digests, base64url, clocks, ids and fractions in turn. */
function tokenOf(index: number): string {
  let state = index + 1;
  const bytes = Buffer.alloc(24);
  for (let at = 0; at < bytes.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE((state ^ (state >>> 15)) >>> 0, at);
  }
  const forms = [
    () => bytes.toString("hex"),
    () => bytes.toString("base64url"),
    () => String(1_600_000_000_000 + index),
    () => `r_${bytes.toString("base64url", 0, 12)}`,
    () => String(state / 2 ** 32),
  ];
  return forms[index % forms.length]?.() ?? "";
}
