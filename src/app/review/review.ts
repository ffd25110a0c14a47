import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../../app.js";
import type { Batch } from "../../domain/batch.js";
import { numberField, type SealBinding } from "../../domain/card-vault.js";
import { UsageError } from "../../domain/errors.js";
import type { OutcomeRecord } from "../../domain/record.js";
import { type Review, withoutReview, withReview } from "../../domain/review.js";
import { areUnread } from "../../queue/read-marks.js";
import { createRecorder } from "../../queue/recorder.js";
import { CSV_START, csvRow } from "../../results/csv.js";
import { STREAM_FILES } from "../../results/ndjson-sink.js";
import { parseRecord, readLines } from "../../results/read-lines.js";
import { refreshSummary } from "../../results/summary.js";
import { openFolders } from "../folder-names.js";
import type { Reader } from "../reading.js";
import { sinkIdOf, startWriting } from "../writing.js";
import { decide, type Problem } from "./decide.js";
import { type DecidedRow, REVIEW_COLUMNS, readDecisions } from "./rows.js";

const LOOK_MS = 50;

export interface ExportReviewOptions {
  readonly batch: string;
  readonly out: string;
  /** Opens a number; null: all stay masked. Whoever gives it has recorded who asks and why. */
  readonly reveal: ((jwe: string, binding: SealBinding) => Promise<string | null>) | null;
  readonly write: (text: string) => Promise<void>;
}

/**
 * Writes a batch's pages in review as CSV for spreadsheets, a row a card, with a column for the decision.
 * @returns how many pages
 * @throws UsageError when there is no such batch, or nothing of it in the folder
 */
export async function exportReview(
  reader: Pick<Reader, "redis" | "keys" | "batches" | "vault">,
  { batch: name, out, reveal, write }: ExportReviewOptions,
): Promise<number> {
  const { batch, files } = await openBatch(reader, name, out);
  const placeOf = await imagePlaces(reader, batch);
  await write(CSV_START + csvRow(Object.keys(REVIEW_COLUMNS)));
  let pages = 0;
  for await (const record of lastRecords(files, ({ outcome }) => outcome === "review")) {
    if (record.batch !== name) continue;
    pages++;
    const place = placeOf(record);
    for (const [index, card] of record.cards.entries()) {
      const { request } = record;
      const binding = { request, field: numberField(index) };
      const number = reveal === null || card.number === null ? null : await reveal(card.number.jwe, binding);
      const shown = { record, card, index, place, number };
      await write(csvRow(Object.values(REVIEW_COLUMNS).map((value) => value(shown))));
    }
  }
  return pages;
}

export interface ImportReviewOptions {
  readonly batch: string;
  readonly out: string;
  readonly file: string;
  readonly encoding: string;
  /** Who decided. */
  readonly by: string;
}

export interface ImportedReview {
  readonly confirmed: number;
  readonly corrected: number;
  readonly rejected: number;
  /** Decided the same before. */
  readonly unchanged: number;
  readonly problems: readonly Problem[];
  /** A live process that writes the batch's outcomes has written these. */
  readonly writtenElsewhere: boolean;
  readonly behind: readonly string[];
}

/**
 * Takes decisions back: each becomes its request's outcome, in the files and every sink, with the machine's beside it, and
 * stands whenever the batch is judged again. Works while the batch is run. As many rows as people have written are held in memory.
 * @throws UsageError when the file, the batch or the folder cannot be used
 */
export async function importReview(
  app: App,
  options: ImportReviewOptions,
  signal: AbortSignal,
): Promise<ImportedReview> {
  const { batch, files, folder } = await openBatch(app, options.batch, options.out);
  const rows = await rowsByRequest(options, signal);
  const seal = await app.sealOf(batch.destination);
  const deps = { vault: app.vault, seal, by: options.by, now: () => new Date() };
  const problems: Problem[] = [];
  const totals = { confirmed: 0, corrected: 0, rejected: 0, unchanged: 0 };
  const decided: { readonly record: OutcomeRecord; readonly review: Review }[] = [];
  for await (const record of lastRecords(files, ({ request }) => rows.has(request))) {
    const its = rows.get(record.request) ?? [];
    rows.delete(record.request);
    const { problem, review } = await look(record, its, batch, deps);
    if (problem !== null) problems.push(problem);
    else if (review === null) totals.unchanged++;
    else decided.push({ record: withReview(withoutReview(record), review), review });
  }
  for (const [row] of rows.values()) {
    if (row !== undefined) problems.push({ line: row.line, message: "its request has no outcome in --out" });
  }
  await app.reviews.put(batch.name, new Map(decided.map(({ record, review }) => [record.request, review])));
  for (const { record, review } of decided) {
    await app.outcomes.publish(record, batch.destination, batch.generation);
    totals[review.decision]++;
  }
  const requests = decided.map(({ record }) => record.request);
  const behind = await untilWritten(app, batch, folder, requests, signal);
  return {
    ...totals,
    problems: problems.sort((a, b) => a.line - b.line),
    writtenElsewhere: behind === null,
    behind: behind ?? [],
  };
}

/**
 * Whoever writes the batch's outcomes at present writes these, too; once nobody does, they are written here.
 * @returns sinks that are behind; null: somebody else wrote
 */
async function untilWritten(
  app: App,
  batch: Batch,
  folder: string,
  requests: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  if (requests.length === 0) return [];
  const outcomes = requests.map((request) => ({ request, published: batch.generation }));
  for (;;) {
    const unread = await areUnread(app.redis, app.keys, batch.destination, outcomes);
    if (!unread.includes(true)) return null;
    if (await app.presence.acquire(`destination:${batch.destination ?? ""}`))
      return writeDown(app, batch, folder, signal);
    await sleep(LOOK_MS, undefined, { signal });
  }
}

async function look(
  record: OutcomeRecord,
  rows: readonly DecidedRow[],
  batch: Batch,
  deps: Parameters<typeof decide>[2],
): Promise<{ readonly problem: Problem | null; readonly review: Review | null }> {
  const line = rows[0]?.line ?? 0;
  const machine = withoutReview(record);
  if (record.batch !== batch.name) return { problem: { line, message: "it is of another batch" }, review: null };
  if (machine.outcome !== "review") return { problem: { line, message: "it is not in review" }, review: null };
  const decided = await decide(machine, rows, deps);
  if ("message" in decided) return { problem: decided, review: null };
  return { problem: null, review: isSame(record, decided) ? null : decided };
}

/** Whether it was decided like that before. */
function isSame({ review, cards }: OutcomeRecord, decided: Review): boolean {
  const facts = (its: OutcomeRecord["cards"]) =>
    JSON.stringify(
      its.map(({ number, bank, issueDate, expiryDate }) => [
        number?.fingerprint ?? number?.jwe,
        bank,
        issueDate,
        expiryDate,
      ]),
    );
  return review?.decision === decided.decision && facts(cards) === facts(decided.cards);
}

async function rowsByRequest({ file, encoding }: ImportReviewOptions, signal: AbortSignal) {
  const rows = new Map<string, DecidedRow[]>();
  for await (const row of readDecisions(file, encoding, signal)) {
    rows.set(row.request, [...(rows.get(row.request) ?? []), row]);
  }
  return rows;
}

/** Nobody else writes at present: what was published is written here. */
async function writeDown(app: App, batch: Batch, folder: string, signal: AbortSignal): Promise<readonly string[]> {
  const writing = await startWriting(app, folder, batch.destination, { batch, mayStartOver: false });
  while (!signal.aborted && (await app.outcomes.unread(batch.destination)) > 0) await sleep(LOOK_MS);
  await writing.close();
  await refreshSummary(folder, await app.batches.counts(batch.name));
  return writing.behind();
}

/** How much of each file counts: what stands behind that is not recorded yet. */
type Files = readonly { readonly path: string; readonly length: number }[];

async function openBatch(
  { redis, keys, batches }: Pick<Reader, "redis" | "keys" | "batches">,
  name: string,
  out: string,
) {
  const batch = await batches.get(name);
  if (batch === null) throw new UsageError(`batch ${name}: there is no such batch`);
  const folder = resolve(out);
  const sink = existsSync(folder) ? sinkIdOf(folder) : null;
  if (sink === null || sink !== (await batches.sink(name))) {
    throw new UsageError(`--out ${out}: the outcomes of batch ${name} are not written there`);
  }
  const position = (await createRecorder(redis, keys, sink).position()) ?? {};
  const files: Files = Object.entries(STREAM_FILES).map(([stream, file]) => ({
    path: join(folder, file),
    length: position[stream] ?? 0,
  }));
  return { batch, folder, files };
}

/**
 * Of each request that is wanted by its last line, that line: those that a later one replaces are passed over. In memory for
 * the place of a line a request that has been in review.
 */
async function* lastRecords(files: Files, wants: (record: OutcomeRecord) => boolean): AsyncGenerator<OutcomeRecord> {
  const last = new Map<string, string>();
  for await (const record of allRecords(files)) {
    const before = last.get(record.request);
    if (before === undefined ? wants(record) : before <= record.finishedAt) last.set(record.request, record.finishedAt);
  }
  for await (const record of allRecords(files)) {
    if (last.get(record.request) === record.finishedAt && wants(record)) {
      last.delete(record.request);
      yield record;
    }
  }
}

async function* allRecords(files: Files): AsyncGenerator<OutcomeRecord> {
  for (const { path, length } of files) {
    for await (const { text } of readLines(path, length)) {
      const record = parseRecord(text);
      if (record !== null) yield record;
    }
  }
}

/** Where an image is, as far as that can be told here: under the first of the batch's folders that has it. */
async function imagePlaces({ vault }: Pick<Reader, "vault">, batch: Batch): Promise<(record: OutcomeRecord) => string> {
  const folders = vault === null ? [] : await openFolders(batch.sources, vault);
  return ({ image }) => {
    if (image.sourceJwe !== undefined) return image.source;
    const places = folders.map(({ root, path }) =>
      root === undefined ? join(path, image.source) : `${root}:${join(path, image.source)}`,
    );
    return places.find((place) => existsSync(place)) ?? places[0] ?? image.source;
  };
}
