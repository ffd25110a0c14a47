import { realpath } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type ErrorCode, UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { relativeInside } from "../domain/paths.js";
import { refSchema } from "../domain/payload.js";
import { readCsvRecords } from "./csv-records.js";
import { type Listed, type Roots, unreadable } from "./source.js";
import { readTextLines } from "./text-lines.js";

/** Longest path that a system takes (Linux `PATH_MAX`). @unit characters */
const MAX_REFERENCE_LENGTH = 4096;

export interface ManifestOptions {
  /** Absolute path of a `.txt`, `.csv` or `.ndjson` file. */
  readonly path: string;
  /** Its folder, absolute, links resolved: relative references start here. */
  readonly folder: string;
  /** Where absolute references may lead besides. */
  readonly roots: Roots;
  /** A WHATWG encoding label such as `utf-8` or `gb18030`. */
  readonly encoding: string;
}

/** What one line says, unchecked. */
export interface Row {
  readonly line: number;
  readonly source: unknown;
  readonly ref: unknown;
}

/**
 * Every image that a manifest names, in its order; what a line gets wrong becomes that line's problem.
 * @throws UsageError when it cannot be read, or is a CSV without a column `source`
 */
export async function* listManifest(options: ManifestOptions, signal: AbortSignal): AsyncGenerator<Listed> {
  yield* listRows(readRows(options, signal), options, signal);
}

/** The same, of rows that come from elsewhere. */
export async function* listRows(
  rows: AsyncIterable<Row>,
  options: Omit<ManifestOptions, "encoding">,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  for await (const row of rows) {
    signal.throwIfAborted();
    yield await locate(row, options);
  }
}

function readRows({ path, encoding }: ManifestOptions, signal: AbortSignal): AsyncGenerator<Row> {
  const lines = readTextLines(path, encoding, signal);
  if (/\.csv$/i.test(path)) return csvRows(readCsvRecords(lines), path);
  return /\.txt$/i.test(path) ? textRows(lines) : jsonRows(lines);
}

type Lines = ReturnType<typeof readTextLines>;

async function* textRows(lines: Lines): AsyncGenerator<Row> {
  for await (const { text, number } of lines) yield { line: number, source: text.trim(), ref: null };
}

async function* jsonRows(lines: Lines): AsyncGenerator<Row> {
  for await (const { text, number } of lines) yield { line: number, ...fieldsOf(text) };
}

function fieldsOf(text: string): Pick<Row, "source" | "ref"> {
  try {
    const { source, ref } = JSON.parse(text) as Partial<Row>;
    return { source, ref };
  } catch {
    return { source: null, ref: null };
  }
}

async function* csvRows(records: ReturnType<typeof readCsvRecords>, path: string): AsyncGenerator<Row> {
  let header: readonly string[] | null = null;
  for await (const { fields, line } of records) {
    if (header === null) {
      header = fields?.map((name) => name.trim()) ?? [];
      if (!header.includes("source")) {
        throw new UsageError(`${maskReference(path)}: the header has no column named source`);
      }
    } else {
      yield { line, source: fields?.[header.indexOf("source")], ref: fields?.[header.indexOf("ref")] };
    }
  }
}

async function locate(row: Row, options: Omit<ManifestOptions, "encoding">): Promise<Listed> {
  const { folder } = options;
  const { line, source } = row;
  if (typeof source !== "string" || source === "" || source.includes("\0") || source.length > MAX_REFERENCE_LENGTH) {
    return unreadable(folder, `${basename(options.path)}:${line}`, "image-reference", "the line names no file");
  }
  const refused = (code: ErrorCode, message: string) =>
    unreadable(folder, source, code, `line ${line}: ${message}`, `${line}:${source}`);
  const ref = refOf(row.ref);
  if (ref === undefined)
    return refused("ref-refused", "the ref is no text, too long, or holds what looks like a card number");
  const found = await findRoot(resolve(folder, source), options);
  if (found === null)
    return refused("image-outside-root", "it lies outside of the manifest's folder and of every root");
  return { ...found, source: relativeInside(folder, found.path) || source, ref, problem: null, unsure: false };
}

/** Undefined: refused. Whole numbers are taken as they are written, as long as they are told apart. */
function refOf(ref: unknown): string | null | undefined {
  if (ref === undefined || ref === null || ref === "") return null;
  const text = Number.isSafeInteger(ref) ? String(ref) : ref;
  return refSchema.safeParse(text).data;
}

/** The folder that the file lies in, of those that may be read; a path may lead there through links. */
async function findRoot(
  path: string,
  { folder, roots }: Pick<ManifestOptions, "folder" | "roots">,
): Promise<{ path: string; root: string } | null> {
  const folders = [folder, ...roots.values()];
  const rootOf = (candidate: string) => folders.find((each) => relativeInside(each, candidate) !== null);
  const root = rootOf(path);
  if (root !== undefined) return { path, root };
  const real = await realpath(path).catch(() => path);
  const realRoot = rootOf(real);
  return realRoot === undefined ? null : { path: real, root: realRoot };
}
