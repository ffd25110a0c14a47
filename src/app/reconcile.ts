import { join } from "node:path";
import type { Admission, Batch, BatchCounts } from "../domain/batch.js";
import type { RequestId } from "../domain/payload.js";
import { OUTCOMES } from "../domain/reading.js";
import { OUTCOME_STREAMS } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import type { PreviewedBatch } from "../queue/batches.js";
import { bucketNumber, MARK_BUCKETS } from "../queue/keys.js";
import { lookUpPages } from "../queue/known-pages.js";
import { outcomeLetter } from "../queue/mark.js";
import { areUnread, haveJobs, type ReadMark, readMarks, supersededLines } from "../queue/read-marks.js";
import { linesByRequest, type RequestLines } from "../results/lines-by-request.js";
import { STREAM_FILES } from "../results/ndjson-sink.js";
import { countLines } from "../results/read-lines.js";
import type { OpenedSources } from "./feeding.js";
import { ANSWER_OPTIONS } from "./providers.js";
import type { Reader } from "./reading.js";
import { walkSources } from "./walk-sources.js";

/** Requests whose lines are held in memory at a time; the files are gone through once for each such part of them. */
const REQUESTS_AT_A_TIME = 200_000;

/** Of marks that are looked at together; of a million requests each bucket holds 250. */
const BUCKETS_AT_A_TIME = 64;

/** What does not fit together, by kind: how many there are, and one of them. */
export const DIFFERENCES = {
  "never-found": "in the sources, and never enqueued",
  "no-outcome": "found, without an outcome and without a job",
  "outcome-lost": "published, and neither recorded nor on its queue",
  "no-line": "recorded, without a line in --out",
  "no-mark": "a line in --out that is not recorded",
  "several-lines": "more than one line in --out",
  "other-line": "recorded with another outcome than its line has",
  "wrong-count": "a figure of the batch is not what its requests add up to",
} as const;
export type Difference = keyof typeof DIFFERENCES;

export interface Found {
  readonly count: number;
  /** A request, or the name of a figure. */
  readonly example: string;
}

export interface Reconciliation {
  readonly batch: string;
  readonly found: number;
  /** Requests with an outcome that is recorded, and has its one line. */
  readonly settled: number;
  /** Requests with a job, or an outcome on its queue: they are under way. Of a cancelled batch those without a job, too. */
  readonly pending: number;
  readonly differences: Readonly<Partial<Record<Difference, Found>>>;
}

export interface Folder {
  readonly path: string;
  readonly sink: string;
  readonly position: SinkPosition | null;
}

/** Adds up what is found; keeps one example of each kind. */
class Findings {
  readonly differences: Partial<Record<Difference, Found>> = {};
  found = 0;
  settled = 0;
  pending = 0;
  readonly outcomes: Record<string, number> = {};

  add(kind: Difference, example: string): void {
    const before = this.differences[kind];
    this.differences[kind] = { count: (before?.count ?? 0) + 1, example: before?.example ?? example };
  }
}

/**
 * Holds a batch's marks against its lines, its queues and its accounts; changes nothing. Memory stays the same for any batch.
 * @param folder where its outcomes are written; null: nowhere yet
 * @param neverFound pages of the sources that have no mark
 */
export async function compareBatch(
  reader: Pick<Reader, "redis" | "keys">,
  batch: Batch,
  counts: BatchCounts,
  folder: Folder | null,
  neverFound: Found | null,
): Promise<Reconciliation> {
  const findings = new Findings();
  if (neverFound !== null) findings.differences["never-found"] = neverFound;
  const lines = folder === null ? 0 : await countAllLines(folder.path);
  const parts = Math.max(Math.ceil(lines / REQUESTS_AT_A_TIME), 1);
  const bucketsPerPart = Math.ceil(MARK_BUCKETS / parts);
  for (let from = 0; from < MARK_BUCKETS; from += bucketsPerPart) {
    const to = Math.min(from + bucketsPerPart, MARK_BUCKETS);
    await comparePart(reader, batch, folder, [from, to], findings);
  }
  compareCounts(counts, findings);
  const { found, settled, pending, differences } = findings;
  return { batch: batch.name, found, settled, pending, differences };
}

async function comparePart(
  reader: Pick<Reader, "redis" | "keys">,
  batch: Batch,
  folder: Folder | null,
  [from, to]: readonly [number, number],
  findings: Findings,
): Promise<void> {
  const isIn = (request: string) => bucketNumber(request) >= from && bucketNumber(request) < to;
  const lines =
    folder === null
      ? new Map<string, RequestLines>()
      : await linesByRequest(folder.path, batch.name, folder.position, isIn);
  for (let bucket = from; bucket < to; bucket += BUCKETS_AT_A_TIME) {
    const end = Math.min(bucket + BUCKETS_AT_A_TIME, to);
    const marks = await readMarks(reader.redis, reader.keys, batch.name, bucket, end);
    await compareMarks(reader, batch, folder, marks, lines, findings);
    for (const { request } of marks) lines.delete(request);
  }
  for (const request of lines.keys()) findings.add("no-mark", request);
}

async function compareMarks(
  { redis, keys }: Pick<Reader, "redis" | "keys">,
  { destination, halt }: Batch,
  folder: Folder | null,
  marks: readonly ReadMark[],
  lines: ReadonlyMap<string, RequestLines>,
  findings: Findings,
): Promise<void> {
  findings.found += marks.length;
  const open = marks.filter(({ letter, published }) => letter === null && published === null);
  const published = marks.filter(({ letter, published }) => letter === null && published !== null);
  const recorded = marks.filter(({ letter }) => letter !== null);
  const jobs = await haveJobs(
    redis,
    keys,
    [...open, ...published].map(({ request }) => request),
  );
  const unread = await areUnread(redis, keys, destination, published);
  for (const [i, { request }] of [...open, ...published].entries()) {
    const isPublished = i >= open.length;
    const isUnderWay = jobs[i] === true || (isPublished && unread[i - open.length] === true);
    if (lines.has(request)) findings.add("no-mark", request);
    else if (isUnderWay || (halt === "cancelled" && !isPublished)) findings.pending++;
    else findings.add(isPublished ? "outcome-lost" : "no-outcome", request);
  }
  const names = recorded.map(({ request }) => request);
  const dropped = folder === null ? [] : await supersededLines(redis, keys, folder.sink, names);
  for (const [i, { request, letter }] of recorded.entries()) {
    findings.outcomes[letter ?? ""] = (findings.outcomes[letter ?? ""] ?? 0) + 1;
    const kind = compareLines(letter, lines.get(request), dropped[i] ?? { results: 0, failures: 0 });
    if (kind === null) findings.settled++;
    else findings.add(kind, request);
  }
}

function compareLines(
  letter: string | null,
  lines: RequestLines | undefined,
  dropped: { readonly results: number; readonly failures: number },
): Difference | null {
  if (lines === undefined) return "no-line";
  if (lines.results - dropped.results + lines.failures - dropped.failures > 1) return "several-lines";
  return outcomeLetter(lines.outcome) === letter ? null : "other-line";
}

function compareCounts(counts: BatchCounts, findings: Findings): void {
  if (counts.found !== findings.found) findings.add("wrong-count", "found");
  for (const outcome of OUTCOMES) {
    if (counts.outcomes[outcome] !== (findings.outcomes[outcomeLetter(outcome)] ?? 0)) {
      findings.add("wrong-count", outcome);
    }
  }
}

async function countAllLines(folder: string): Promise<number> {
  const counts = await Promise.all(OUTCOME_STREAMS.map((stream) => countLines(join(folder, STREAM_FILES[stream]))));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** What the sources hold that the batch does not know, or knows more of than it has made of it. */
export interface SourceComparison {
  readonly neverFound: Found | null;
  /** Pages without an outcome whose answer is stored: they take no call. */
  readonly answered: number;
}

/** Goes through the sources of a batch; changes nothing. */
export async function compareSources(
  reader: Reader,
  batch: Batch,
  sources: OpenedSources,
  signal: AbortSignal,
): Promise<SourceComparison> {
  const { redis, keys, batches } = reader;
  const previewed = await batches.preview({ ...batch, refresh: false });
  let neverFound: Found | null = null;
  let answered = 0;
  const look = async (pages: readonly Admission[]) => {
    const pipeline = redis.pipeline();
    for (const { request } of pages) pipeline.hexists(keys.requests(batch.name, request), request);
    const known = (await pipeline.exec()) ?? [];
    const states = await lookUpFirst(reader, previewed, pages);
    for (const [i, { request }] of pages.entries()) {
      if (Number(known[i]?.[1] ?? 0) === 0) neverFound = oneMore(neverFound, request);
      if (states[i] === "answered") answered++;
    }
  };
  await walkSources(reader, batch, { sources, limit: null }, look, signal);
  return { neverFound, answered };
}

async function lookUpFirst({ redis, keys }: Reader, previewed: PreviewedBatch, pages: readonly Admission[]) {
  const [provider] = previewed.batch.providers;
  if (provider === undefined) return [];
  return lookUpPages(redis, keys, previewed, { provider, answerOptions: ANSWER_OPTIONS[provider] }, pages);
}

function oneMore(found: Found | null, example: RequestId): Found {
  return { count: (found?.count ?? 0) + 1, example: found?.example ?? example };
}
