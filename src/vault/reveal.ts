import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { numberField, type SealBinding, SOURCE_FIELD } from "../domain/card-vault.js";
import { UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { revealPan } from "../domain/pan.js";
import { appendAudit } from "./reveal-audit.js";
import type { Vault } from "./vault.js";
import { VaultError, type VaultErrorCode } from "./vault-error.js";

export interface RevealOptions {
  /** `results.ndjson` or `failures.ndjson`. */
  readonly file: string;
  /** Why the numbers are wanted; goes to the audit file. */
  readonly reason: string;
  /** Where it is recorded: `auditPath(keyring)`. */
  readonly auditFile: string;
  /** Who asks, by the operating system's word: `osUser()`. */
  readonly user: string;
}

/** A number, or a line, that stays as it is. */
export interface RevealProblem {
  /** From 1. */
  readonly line: number;
  readonly field: string;
  readonly code: VaultErrorCode | "not-a-record";
}

export interface RevealDeps {
  readonly vault: Vault;
  /** Gets each line with its end; settles when there is room for the next. */
  readonly write: (line: string) => Promise<void>;
  readonly onProblem: (problem: RevealProblem) => void;
  readonly now: () => Date;
}

export interface RevealTotals {
  readonly lines: number;
  /** Opened: numbers, and references that held one. */
  readonly opened: number;
  readonly problems: number;
}

/**
 * The same lines, with the digits as `number.value`, and `image.sourceValue` where the reference holds a number. What does not
 * open is reported and passed on as it is. The audit line is on disk before the first line goes out.
 * @throws UsageError without a reason or a readable file
 * @throws ConfigError when it cannot be recorded; nothing is revealed then
 */
export async function reveal(options: RevealOptions, deps: RevealDeps, signal: AbortSignal): Promise<RevealTotals> {
  if (options.reason.trim() === "") throw new UsageError("reveal needs a reason: --reason '<why>'");
  const bytes = await sizeOf(options.file);
  const count = await countSealed(readLines(options.file, bytes, signal));
  await appendAudit(options.auditFile, {
    time: deps.now().toISOString(),
    file: resolve(options.file),
    count,
    reason: options.reason,
    user: options.user,
    keyring: deps.vault.keyringId,
  });
  return revealLines(readLines(options.file, bytes, signal), deps);
}

/**
 * The same for one record. Whoever calls `open` has recorded it.
 * @returns the record, whose digits are there once `open` has returned; how many sealed numbers and references it holds
 */
export function revealRecord(
  outcome: unknown,
  vault: Vault,
): {
  readonly record: unknown;
  readonly count: number;
  open(): Promise<readonly { readonly field: string; readonly code: VaultErrorCode }[]>;
} {
  const record: unknown = structuredClone(outcome);
  const fields = isSealedRecord(record) ? sealedFields(record, vault) : [];
  return { record, count: fields.length, open: async () => (isSealedRecord(record) ? openFields(record, fields) : []) };
}

/**
 * Opens numbers one by one, for whoever has to compare them with their images. That it will is on disk when this returns.
 * @returns the digits in groups of four; null for a number that does not open
 * @throws UsageError without a reason
 * @throws ConfigError when it cannot be recorded
 */
export async function openForReview(
  { file, reason, auditFile, user }: RevealOptions,
  count: number,
  vault: Vault,
): Promise<(jwe: string, binding: SealBinding) => Promise<string | null>> {
  if (reason.trim() === "") throw new UsageError("--reveal needs a reason: --reason '<why>'");
  const time = new Date().toISOString();
  await appendAudit(auditFile, { time, file, count, reason, user, keyring: vault.keyringId });
  return async (jwe, binding) => {
    try {
      return revealPan(await vault.openNumber(jwe, binding)).replace(/\d{4}(?=\d)/g, "$& ");
    } catch (error) {
      if (error instanceof VaultError) return null;
      throw error;
    }
  };
}

/** Lines opened at the same time, in the order of the file. */
const BATCH = 32;
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;
const SEALED = /"(?:jwe|sourceJwe)"\s*:/g;

const sealedCards = z.array(z.object({ number: z.object({ jwe: z.string().optional() }).nullable() }));

/** As much of a record as is of interest here, so that records of other versions open as well. */
const sealedSchema = z.object({
  request: z.string(),
  duplicateOf: z.string().optional(),
  image: z.object({ sourceJwe: z.string().optional() }).optional(),
  cards: sealedCards.optional(),
  review: z.object({ machine: z.object({ cards: sealedCards }) }).optional(),
});
type SealedRecord = z.infer<typeof sealedSchema>;

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    throw new UsageError(`there is no file ${maskReference(file)} to reveal`);
  }
}

async function countSealed(lines: AsyncIterable<string>): Promise<number> {
  let count = 0;
  for await (const line of lines) count += line.match(SEALED)?.length ?? 0;
  return count;
}

async function revealLines(lines: AsyncIterable<string>, deps: RevealDeps): Promise<RevealTotals> {
  const totals = { lines: 0, opened: 0, problems: 0 };
  const flush = async (batch: readonly string[]) => {
    const first = totals.lines + 1;
    const revealed = await Promise.all(batch.map((line, index) => revealLine(line, first + index, deps.vault)));
    for (const { line, opened, problems } of revealed) {
      totals.lines += 1;
      totals.opened += opened;
      totals.problems += problems.length;
      for (const problem of problems) deps.onProblem(problem);
      await deps.write(`${line}\n`);
    }
  };
  let batch: string[] = [];
  for await (const line of lines) {
    batch.push(line);
    if (batch.length < BATCH) continue;
    await flush(batch);
    batch = [];
  }
  await flush(batch);
  return totals;
}

interface RevealedLine {
  readonly line: string;
  readonly opened: number;
  readonly problems: readonly RevealProblem[];
}

async function revealLine(line: string, number: number, vault: Vault): Promise<RevealedLine> {
  if (line.search(SEALED) < 0) return { line, opened: 0, problems: [] };
  const record = parseRecord(line);
  if (record === null) return { line, opened: 0, problems: [{ line: number, field: "", code: "not-a-record" }] };
  const fields = sealedFields(record, vault);
  const problems = await openFields(record, fields);
  return {
    line: JSON.stringify(record),
    opened: fields.length - problems.length,
    problems: problems.map((problem) => ({ line: number, ...problem })),
  };
}

/** What was sealed goes into the record as it is opened. */
async function openFields(
  record: SealedRecord,
  fields: readonly SealedField[],
): Promise<{ readonly field: string; readonly code: VaultErrorCode }[]> {
  const problems: { readonly field: string; readonly code: VaultErrorCode }[] = [];
  for (const { field, open, put } of fields) {
    try {
      put(await openForRecord(record, open));
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      problems.push({ field, code: error.code });
    }
  }
  return problems;
}

/** The object as it was parsed, so that what the schema does not know stays, and in its order. */
function parseRecord(line: string): SealedRecord | null {
  try {
    const record: unknown = JSON.parse(line);
    return isSealedRecord(record) ? record : null;
  } catch {
    return null;
  }
}

function isSealedRecord(value: unknown): value is SealedRecord {
  return sealedSchema.safeParse(value).success;
}

interface SealedField {
  readonly field: string;
  readonly open: (request: string) => Promise<string>;
  readonly put: (value: string) => void;
}

function sealedFields({ cards = [], image, review }: SealedRecord, vault: Vault): readonly SealedField[] {
  const numbers = [cards, review?.machine.cards ?? []].flatMap((its) => sealedNumbers(its, vault));
  if (image?.sourceJwe === undefined) return numbers;
  const jwe = image.sourceJwe;
  const open = (request: string) => vault.openText(jwe, { request, field: SOURCE_FIELD });
  return [...numbers, { field: SOURCE_FIELD, open, put: (sourceValue) => void Object.assign(image, { sourceValue }) }];
}

function sealedNumbers(cards: z.infer<typeof sealedCards>, vault: Vault): readonly SealedField[] {
  return cards.flatMap(({ number }, index) => {
    if (number?.jwe === undefined) return [];
    const { jwe } = number;
    const field = numberField(index);
    const open = async (request: string) => revealPan(await vault.openNumber(jwe, { request, field }));
    return [{ field, open, put: (value: string) => void Object.assign(number, { value }) }];
  });
}

/** A duplicate carries the cards of the request it repeats, which may be sealed for that one. */
async function openForRecord({ request, duplicateOf }: SealedRecord, open: SealedField["open"]): Promise<string> {
  try {
    return await open(request);
  } catch (error) {
    const isAnothers = error instanceof VaultError && error.code === "vault-binding";
    if (!isAnothers || duplicateOf === undefined) throw error;
    return open(duplicateOf);
  }
}

/** Lines by `\n` alone: other line ends may stand in a bank's name. What is appended meanwhile is left for another time. */
async function* readLines(file: string, bytes: number, signal: AbortSignal): AsyncGenerator<string> {
  if (bytes === 0) return;
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "utf8", end: bytes - 1, signal })) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new UsageError(`${maskReference(file)} has a line too long for results`);
    yield* lines;
  }
  if (rest !== "") yield rest;
}
