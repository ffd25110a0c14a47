import { createReadStream } from "node:fs";
import { open, opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import type { Canaries } from "./canaries.js";
import { createPlaceScan, type ScanFind } from "./place-scan.js";

export interface PanScanOptions {
  /** Look for these alone: what is found is a leak, never a coincidence. Without: whatever looks like a card number. */
  readonly canaries?: Canaries;
  /** Finds of one place that are given one by one; all are counted. @default 20 */
  readonly maxFindsPerPlace?: number;
}

/** What was found in one place. Prints masked numbers and names only. */
export interface PlaceReport {
  /** The file or key, masked. */
  readonly place: string;
  /** Looked through, after decompression. */
  readonly bytes: number;
  readonly count: number;
  readonly finds: readonly ScanFind[];
  /** A number in the place's own name counts too. */
  readonly inName: boolean;
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
}

export interface PanScanner {
  /**
   * Looks through a file, or all files below a folder; gzip by what it is, not by its name. Links are not followed.
   * @returns reports of places with finds or notes
   * @throws UsageError when there is nothing at the path
   */
  scanPath(path: string, signal: AbortSignal): AsyncGenerator<PlaceReport>;
  scanStream(name: string, chunks: AsyncIterable<Buffer>): Promise<PlaceReport>;
  /** A whole value that is in memory anyway, as those of Redis are. */
  scanValue(name: string, value: Buffer): PlaceReport;
  totals(): Readonly<Totals>;
}

const DEFAULT_MAX_FINDS = 20;
const CHUNK_BYTES = 1024 * 1024;
/** A bomb of gzip would keep a scan busy for days. @unit bytes */
const MAX_INFLATED_BYTES = 64 * 1024 ** 3;
const MAX_INFLATED_VALUE_BYTES = 256 * 1024 ** 2;
const GZIP_MAGIC = "\x1f\x8b";
const RDB_MAGIC = "REDIS0";
const RDB_NOTE =
  "a Redis snapshot: its long strings may be compressed (LZF) and its integers binary, so this says nothing about them; scan the running Redis, or an AOF without preamble";

export function createPanScanner({ canaries, maxFindsPerPlace = DEFAULT_MAX_FINDS }: PanScanOptions = {}): PanScanner {
  const totals: Totals = { places: 0, bytes: 0, finds: 0 };
  const begin = (name: string) => beginPlace(name, { canaries: canaries ?? null, maxFindsPerPlace, totals });

  async function* scanPath(path: string, signal: AbortSignal): AsyncGenerator<PlaceReport> {
    for await (const file of filesBelow(path)) {
      signal.throwIfAborted();
      const report = typeof file === "string" ? await scanFile(file, signal) : begin(file.path).end([file.note]);
      if (report.count > 0 || report.notes.length > 0) yield report;
    }
  }

  const scanFile = async (path: string, signal: AbortSignal): Promise<PlaceReport> => {
    const place = begin(path);
    try {
      const start = await readStart(path);
      const isCompressed = start.startsWith(GZIP_MAGIC);
      for await (const chunk of openContent(path, isCompressed, signal)) {
        if (place.push(chunk) > MAX_INFLATED_BYTES && isCompressed)
          return place.end(["inflates without end; left there"]);
      }
      return place.end(start === RDB_MAGIC ? [RDB_NOTE] : []);
    } catch (error) {
      signal.throwIfAborted();
      return place.end([`not read to its end: ${errorCode(error)}`]);
    }
  };

  return {
    scanPath,
    scanStream: async (name, chunks) => {
      const place = begin(name);
      for await (const chunk of chunks) place.push(chunk);
      return place.end([]);
    },
    scanValue: (name, value) => {
      const place = begin(name);
      const { content, notes } = inflateValue(value);
      for (let at = 0; at < content.length; at += CHUNK_BYTES) place.push(content.subarray(at, at + CHUNK_BYTES));
      return place.end(notes);
    },
    totals: () => ({ ...totals }),
  };
}

interface OpenPlace {
  /** @returns bytes so far */
  push(chunk: Buffer): number;
  end(notes: readonly string[]): PlaceReport;
}

interface Totals {
  places: number;
  bytes: number;
  finds: number;
}

interface PlaceContext {
  readonly canaries: Canaries | null;
  readonly maxFindsPerPlace: number;
  readonly totals: Totals;
}

function beginPlace(name: string, { canaries, maxFindsPerPlace, totals }: PlaceContext): OpenPlace {
  const scan = createPlaceScan(canaries);
  const nameScan = createPlaceScan(canaries);
  const nameFinds = [...nameScan.push(Buffer.from(name)), ...nameScan.end()];
  const inName = nameFinds.length > 0;
  const finds: ScanFind[] = [];
  let count = inName ? 1 : 0;
  let bytes = 0;
  const take = (found: readonly ScanFind[]) => {
    count += found.length;
    finds.push(...found.slice(0, maxFindsPerPlace - finds.length));
  };
  return {
    push: (chunk) => {
      take(scan.push(chunk));
      bytes += chunk.length;
      return bytes;
    },
    end: (notes) => {
      take(scan.end());
      totals.places += 1;
      totals.bytes += bytes;
      totals.finds += count;
      return { place: maskName(name, inName), bytes, count, finds, inName, notes };
    },
  };
}

/** A canary need not be of a known issuer, and so may not look like a number to the mask. */
function maskName(name: string, inName: boolean): string {
  const masked = maskReference(name);
  return inName && masked === name ? name.replace(/\d/g, "*") : masked;
}

async function* filesBelow(path: string): AsyncGenerator<string | { readonly path: string; readonly note: string }> {
  const found = await stat(path).catch((error) => {
    throw new UsageError(`nothing to scan at ${maskReference(path)}: ${errorCode(error)}`);
  });
  if (found.isDirectory()) yield* walk(path);
  else if (found.isFile()) yield path;
  else throw new UsageError(`${maskReference(path)} is neither a file nor a folder`);
}

async function* walk(folder: string): AsyncGenerator<string | { readonly path: string; readonly note: string }> {
  try {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* walk(path);
      else if (entry.isFile()) yield path;
    }
  } catch (error) {
    yield { path: folder, note: `folder not read to its end: ${errorCode(error)}` };
  }
}

async function readStart(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(RDB_MAGIC.length), 0, RDB_MAGIC.length, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

function openContent(path: string, isCompressed: boolean, signal: AbortSignal): Readable {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  if (!isCompressed) return file;
  const content = createGunzip({ chunkSize: CHUNK_BYTES });
  return pipeline(file, content, () => undefined);
}

function inflateValue(value: Buffer): { readonly content: Buffer; readonly notes: readonly string[] } {
  if (!value.toString("latin1", 0, 2).startsWith(GZIP_MAGIC)) return { content: value, notes: [] };
  try {
    return { content: gunzipSync(value, { maxOutputLength: MAX_INFLATED_VALUE_BYTES }), notes: [] };
  } catch (error) {
    return { content: value, notes: [`looks like gzip and cannot be inflated: ${errorCode(error)}`] };
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
