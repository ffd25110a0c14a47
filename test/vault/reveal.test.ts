import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { numberField, SOURCE_FIELD } from "../../src/domain/card-vault.js";
import { ConfigError, UsageError } from "../../src/domain/errors.js";
import { maskDigits, Pan } from "../../src/domain/pan.js";
import { type RevealProblem, reveal } from "../../src/vault/reveal.js";
import { auditPath, osUser } from "../../src/vault/reveal-audit.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { testKeyring } from "./test-keyring.js";

const vault = createVault(testKeyring());
const NUMBERS = [cardNumber("622588", 16, 1), cardNumber("622848", 19, 2), cardNumber("4", 16, 3)];
const [FIRST = "", SECOND = "", THIRD = ""] = NUMBERS;
const never = new AbortController().signal;

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cardbatch-reveal-"));
  file = join(folder, "results.ndjson");
});
afterEach(() => rm(folder, { recursive: true }));

/** A line as the drain writes it, sealed for `sealedFor`. */
async function record(request: string, numbers: readonly string[], more: object = {}, sealedFor = request) {
  const cards = numbers.map(async (number, index) => {
    const jwe = await vault.sealNumber(new Pan(number), { request: sealedFor, field: numberField(index) });
    return { number: { masked: maskDigits(number), jwe }, bank: { name: "Bank\u2028of\u0085 \r lines" }, later: 1 };
  });
  return { z: 1, request, image: { source: "a.jpg", page: 0 }, cards: await Promise.all(cards), ...more };
}

async function revealed(lines: readonly unknown[], changes: { reason?: string; auditFile?: string } = {}) {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  await writeFile(file, texts.map((line) => `${line}\n`).join(""));
  const written: string[] = [];
  const problems: RevealProblem[] = [];
  const options = {
    file,
    reason: "audit 7",
    auditFile: auditPath(join(folder, "keyring.json")),
    user: "ops",
    ...changes,
  };
  const deps = {
    vault,
    now: () => new Date("2026-11-22T08:00:00Z"),
    write: async (line: string) => void written.push(line),
    onProblem: (problem: RevealProblem) => void problems.push(problem),
  };
  const totals = await reveal(options, deps, never);
  return { totals, problems, texts, written, output: written.join("").split("\n").slice(0, -1) };
}

const audit = async () => (await readFile(join(folder, "reveal-audit.ndjson"), "utf8")).trim().split("\n");

describe("reveal", () => {
  it("gives the same lines with the digits, in the order of the file", async () => {
    const records = await Promise.all(
      Array.from({ length: 100 }, (_, index) => record(`r_${index}`, NUMBERS.slice(0, index % 3))),
    );
    const { output, totals, problems, texts } = await revealed(records);
    expect(totals).toEqual({ lines: 100, opened: 99, problems: 0 });
    expect(problems).toEqual([]);
    for (const [index, line] of output.entries()) {
      const shown = JSON.parse(line);
      const values = shown.cards.map((card: { number: { value?: string } }) => card.number.value);
      expect(values).toEqual(NUMBERS.slice(0, index % 3));
      for (const card of shown.cards) delete card.number.value;
      expect(JSON.stringify(shown)).toBe(texts[index]);
    }
  });

  it("opens a duplicate's cards, sealed for itself or for the request it repeats", async () => {
    const { output, totals } = await revealed([
      await record("r_2", [FIRST], { duplicateOf: "r_1" }, "r_1"),
      await record("r_3", [FIRST], { duplicateOf: "r_1" }),
    ]);
    expect(output.map((line) => JSON.parse(line).cards[0].number.value)).toEqual([FIRST, FIRST]);
    expect(totals.opened).toBe(2);
  });

  it("leads back to a reference that holds a number", async () => {
    const source = `/mnt/scans/${FIRST}.jpg`;
    const sourceJwe = await vault.sealText(source, { request: "r_1", field: SOURCE_FIELD });
    const image = { source: `/mnt/scans/${maskDigits(FIRST)}.jpg`, page: 0, sourceJwe };
    const { output } = await revealed([await record("r_1", [], { image })]);
    expect(JSON.parse(output[0] ?? "")).toMatchObject({ image: { ...image, sourceValue: source } });
  });

  it("passes on what does not open, says what and where, and goes on", async () => {
    const one = await record("r_1", [FIRST, SECOND]);
    const swapped = { ...one, cards: [one.cards[1], one.cards[0]] };
    const moved = { ...one, request: "r_9" };
    const broken = `{"request":"r_1","cards":[{"number":{"jwe":"`;
    const failure = { request: "r_5", code: "image-empty", cards: [] };
    const { output, texts, totals, problems } = await revealed([
      moved,
      swapped,
      broken,
      failure,
      "",
      await record("r_2", [THIRD]),
    ]);
    expect(output.slice(0, 5)).toEqual(texts.slice(0, 5));
    expect(JSON.parse(output[5] ?? "").cards[0].number.value).toBe(THIRD);
    expect(totals).toEqual({ lines: 6, opened: 1, problems: 5 });
    expect(problems).toEqual([
      { line: 1, field: "cards.0.number", code: "vault-binding" },
      { line: 1, field: "cards.1.number", code: "vault-binding" },
      { line: 2, field: "cards.0.number", code: "vault-binding" },
      { line: 2, field: "cards.1.number", code: "vault-binding" },
      { line: 3, field: "", code: "not-a-record" },
    ]);
  });

  it("records each time before the first line goes out, for its owner alone, without any number", async () => {
    const lines = [await record("r_1", [FIRST, SECOND])];
    await revealed(lines);
    await revealed(lines, { reason: `the customer of ${FIRST}` });
    expect((await audit()).map((line) => JSON.parse(line))).toEqual([
      { time: "2026-11-22T08:00:00.000Z", file, count: 2, reason: "audit 7", user: "ops", keyring: "kr_test-a" },
      expect.objectContaining({ reason: `the customer of ${maskDigits(FIRST)}` }),
    ]);
    expect((await stat(join(folder, "reveal-audit.ndjson"))).mode & 0o777).toBe(0o600);

    const linesAtWrite: number[] = [];
    const options = { file, reason: "again", auditFile: auditPath(join(folder, "keyring.json")), user: osUser() };
    const write = async () => void linesAtWrite.push((await audit()).length);
    await reveal(options, { vault, now: () => new Date(), write, onProblem: () => undefined }, never);
    expect(linesAtWrite).toEqual([3]);
  });

  it("writes nothing when it cannot be recorded, or for no reason, or when asked to stop", async () => {
    const lines = [await record("r_1", [FIRST])];
    await expect(revealed(lines, { auditFile: join(folder, "none", "audit") })).rejects.toThrow(ConfigError);
    await expect(revealed(lines, { reason: "  " })).rejects.toThrow(UsageError);
    const unused = {
      vault,
      now: () => new Date(),
      onProblem: () => undefined,
      write: () => Promise.reject(new Error("written")),
    };
    const options = { file, reason: "x", auditFile: join(folder, "audit"), user: "ops" };
    await expect(reveal(options, unused, AbortSignal.abort())).rejects.toThrow("abort");
    await expect(reveal({ ...options, file: join(folder, "none") }, unused, never)).rejects.toThrow(UsageError);
  });

  it("takes an empty file, and leaves out what is appended meanwhile", async () => {
    expect((await revealed([])).totals).toEqual({ lines: 0, opened: 0, problems: 0 });
    const line = `${JSON.stringify(await record("r_1", [FIRST]))}\n`;
    await writeFile(file, line.repeat(200));
    const options = { file, reason: "x", auditFile: join(folder, "audit"), user: "ops" };
    const write = () => appendFile(file, line);
    const totals = await reveal(options, { vault, now: () => new Date(), write, onProblem: () => undefined }, never);
    expect(totals.lines).toBe(200);
  });
});
