import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import picomatch from "picomatch";
import { bucketFolder, isPlainKey, type ObjectPlace, objectPlace } from "../domain/bucket-path.js";
import { UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { listManifest, listRows, type Row } from "./manifest.js";
import type { ImageSource, Roots } from "./source.js";
import { type ListedKey, walkBucket } from "./walk-bucket.js";
import { walkFolder } from "./walk-folder.js";

/** Every key of a bucket that begins with the prefix. */
export type ListKeys = (place: ObjectPlace, signal: AbortSignal) => AsyncIterable<ListedKey>;

export interface OpenSourceOptions {
  readonly roots: Roots;
  /** Of manifests: a WHATWG encoding label. */
  readonly encoding: string;
  /** What a query gives. @default there is no database to ask */
  readonly query?: ((text: string, signal: AbortSignal) => AsyncIterable<Row>) | undefined;
  /** @default there are no buckets */
  readonly listKeys?: ListKeys;
}

/**
 * Makes a source of what the command line names: a folder, a file, a glob, a place in a bucket (`s3://`), a manifest (`.txt`, `.csv`, `.ndjson`), or a query
 * (`.sql`) that gives the rows of one.
 * @throws UsageError when nothing is there, or there is no database for a query
 */
export async function openSource(argument: string, options: OpenSourceOptions): Promise<ImageSource> {
  if (argument.startsWith("s3:")) return bucketSource(argument, options);
  const path = resolve(argument);
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return folderSource(await realpath(path));
  if (found !== null && QUERY_ENDING.test(path)) return querySource(path, options);
  if (found !== null && MANIFEST_ENDING.test(path)) return manifestSource(path, options);
  if (found !== null) return fileSource(await realpath(path));
  const { base, isGlob, glob } = picomatch.scan(argument);
  const folder = isGlob ? await realpath(resolve(base.replace(ESCAPED, "$1"))).catch(() => null) : null;
  if (folder !== null) return globSource(folder, glob);
  throw new UsageError(`${maskReference(argument)}: no such file or folder`);
}

const MANIFEST_ENDING = /\.(txt|csv|ndjson|jsonl)$/i;
const QUERY_ENDING = /\.sql$/i;
/** A character that a glob takes as itself. */
const ESCAPED = /\\(.)/g;
/** Alternatives that differ in their depth. */
const SLASH_IN_GROUP = /[{(][^})]*\//;

function folderSource(folder: string): ImageSource {
  return {
    kind: "folder",
    identity: folder,
    folder,
    list: (onIgnored, signal) => walkFolder({ folder, onIgnored, signal }),
  };
}

function globSource(folder: string, glob: string): ImageSource {
  const matches = picomatch(glob);
  const anyDepth = glob.includes("**") || SLASH_IN_GROUP.test(glob);
  const depth = anyDepth ? Number.POSITIVE_INFINITY : glob.split("/").length;
  const list = (onIgnored: () => void, signal: AbortSignal) =>
    walkFolder({ folder, matches, depth, onIgnored, signal });
  return { kind: "glob", identity: join(folder, glob), folder, list };
}

function bucketSource(argument: string, { listKeys }: OpenSourceOptions): ImageSource {
  if (listKeys === undefined) throw new UsageError(`${maskReference(argument)}: no bucket is read here`);
  const folder = bucketFolder(argument);
  const place = objectPlace(folder ?? "");
  if (folder === null || place === null || !isPlainKey(place.key || "x")) {
    throw new UsageError(`${maskReference(argument)}: takes s3://bucket/prefix`);
  }
  const { bucket, key } = place;
  const prefix = key === "" ? "" : `${key}/`;
  const list = (onIgnored: () => void, signal: AbortSignal) =>
    walkBucket({ folder, keys: listKeys({ bucket, key: prefix }, signal), skip: prefix.length, onIgnored, signal });
  return { kind: "folder", identity: folder, folder, list };
}

function fileSource(path: string): ImageSource {
  const folder = dirname(path);
  const listed = { path, root: folder, source: basename(path), ref: null, problem: null, unsure: false };
  return {
    kind: "file",
    identity: path,
    folder,
    list: async function* (_onIgnored, signal) {
      signal.throwIfAborted();
      yield listed;
    },
  };
}

async function manifestSource(path: string, { roots, encoding }: OpenSourceOptions): Promise<ImageSource> {
  const folder = await realpath(dirname(path));
  const list = (_onIgnored: () => void, signal: AbortSignal) => listManifest({ path, folder, roots, encoding }, signal);
  return { kind: "manifest", identity: join(folder, basename(path)), folder, list };
}

/** Its references start where the file with the query is. */
async function querySource(path: string, { roots, query }: OpenSourceOptions): Promise<ImageSource> {
  if (query === undefined)
    throw new UsageError(`${maskReference(path)}: name the database that it asks: CARDBATCH_DATABASE`);
  const folder = await realpath(dirname(path));
  const text = await readFile(path, "utf8");
  const list = (_onIgnored: () => void, signal: AbortSignal) =>
    listRows(query(text, signal), { path, folder, roots }, signal);
  return { kind: "manifest", identity: join(folder, basename(path)), folder, list };
}
