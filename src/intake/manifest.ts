import { createReadStream } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { TextDecoderStream } from "node:stream/web";
import { parse } from "csv-parse";
import { UsageError } from "../domain/errors.js";
import { relativeInside } from "../domain/paths.js";
import { refSchema } from "../domain/payload.js";
import type { Listed, Roots } from "./source.js";

const MAX_LINE_LENGTH = 64 * 1024;

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

interface Row {
  readonly source: string;
  readonly ref: string | null;
}

/** Every image that a manifest names, in its order; what a line gets wrong becomes that line's problem. */
export async function* listManifest(options: ManifestOptions, signal: AbortSignal): AsyncGenerator<Listed> {
  for await (const row of readRows(options)) {
    signal.throwIfAborted();
    yield locate(row, options);
  }
}

function readRows(options: ManifestOptions): AsyncIterable<Row> {
  const text = decode(options);
  if (/\.csv$/i.test(options.path)) return csvRows(text, options.path);
  return /\.(nd)?jsonl?$/i.test(options.path) ? jsonRows(text) : textRows(text);
}

function decode({ path, encoding }: ManifestOptions): Readable {
  let decoder: TextDecoderStream;
  try {
    decoder = new TextDecoderStream(encoding);
  } catch {
    throw new UsageError(`--encoding ${encoding}: not an encoding; try utf-8 or gb18030`);
  }
  // A byte order mark is dropped by the decoder.
  return Readable.fromWeb(Readable.toWeb(createReadStream(path)).pipeThrough(decoder));
}

async function* lines(text: Readable): AsyncGenerator<string> {
  for await (const line of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== "") yield line.slice(0, MAX_LINE_LENGTH);
  }
}

async function* textRows(text: Readable): AsyncGenerator<Row> {
  for await (const line of lines(text)) yield { source: line.trim(), ref: null };
}

async function* jsonRows(text: Readable): AsyncGenerator<Row> {
  for await (const line of lines(text)) yield toRow(parseJson(line));
}

async function* csvRows(text: Readable, path: string): AsyncGenerator<Row> {
  const parser = text.pipe(
    parse({
      columns: true,
      bom: true,
      skip_empty_lines: true,
      relax_column_count: true,
      max_record_size: MAX_LINE_LENGTH,
    }),
  );
  let checked = false;
  for await (const record of parser as AsyncIterable<Record<string, string>>) {
    if (!checked && !("source" in record)) {
      throw new UsageError(`${path}: the header has no column named source`);
    }
    checked = true;
    yield toRow(record);
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function toRow(record: unknown): Row {
  const fields = typeof record === "object" && record !== null ? (record as Record<string, unknown>) : {};
  const ref = fields.ref === undefined || fields.ref === null || fields.ref === "" ? null : String(fields.ref);
  return { source: typeof fields.source === "string" ? fields.source : "", ref };
}

function locate({ source, ref }: Row, { folder, roots }: ManifestOptions): Listed {
  const path = isAbsolute(source) ? resolve(source) : resolve(join(folder, source));
  const root = [folder, ...roots.values()].find((candidate) => relativeInside(candidate, path) !== null);
  const inside = relativeInside(folder, path);
  const base = {
    path,
    root: root ?? folder,
    source: inside === null || inside === "" ? source : inside,
    unsure: false,
  };
  if (source === "" || source.includes("\0")) return { ...base, ref: null, problem: "image-reference" };
  if (ref !== null && !refSchema.safeParse(ref).success) return { ...base, ref: null, problem: "ref-refused" };
  return { ...base, ref, problem: root === undefined ? "image-outside-root" : null };
}
