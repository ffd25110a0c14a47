import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { opendir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { relativeInside } from "../domain/paths.js";
import { type Listed, unreadable } from "./source.js";

/** Endings that name an image we read, or one that we don't and say so; other files count if their first bytes do. */
export const IMAGE_ENDING = /\.(jpe?g|jpe|jfif|png|bmp|dib|tiff?|webp|gif|hei[cf]|avif|jp2|pdf|svg)$/i;
export const OTHER_ENDING =
  /\.(txt|csv|tsv|json|ndjson|xml|html?|md|log|zip|gz|7z|rar|tar|db|ini|exe|dll|docx?|xlsx?|mp4|mov|py|sh)$/i;

const DOT = ".".charCodeAt(0);

export interface WalkOptions {
  /** The folder, absolute, links resolved. */
  readonly folder: string;
  /** Which of the files that look like images count; takes the path relative to `folder`. @default all */
  readonly matches?: (source: string) => boolean;
  /** How many levels of folders are gone through; 1 is `folder` alone. @default all */
  readonly depth?: number;
  readonly onIgnored: () => void;
  readonly signal: AbortSignal;
}

/**
 * Every image below a folder, as the file system gives them: no sorting, so that a million entries need no more memory
 * than ten. Hidden files and folders are left out; links are followed to files inside the folder and nowhere else.
 * @throws UsageError when the folder itself cannot be listed
 */
export async function* walkFolder(options: WalkOptions): AsyncGenerator<Listed> {
  yield* walk(options, "", options.depth ?? Number.POSITIVE_INFINITY);
}

/** @param prefix the way from the source's folder to the folder that is listed: empty, or with `/` at its end */
async function* walk(options: WalkOptions, prefix: string, depth: number): AsyncGenerator<Listed> {
  const { folder, onIgnored, signal } = options;
  for await (const entry of entriesOf(join(folder, prefix))) {
    signal.throwIfAborted();
    if (entry instanceof Error) {
      yield unlistable(folder, prefix.slice(0, -1), entry);
      continue;
    }
    const bytes = entry.name as unknown as Buffer;
    const isNamed = isUtf8(bytes);
    const source = prefix + (isNamed ? bytes.toString() : escapeBytes(bytes));
    if (bytes.at(0) === DOT) onIgnored();
    else if (!entry.isDirectory()) yield* pick(options, entry, source, isNamed);
    else if (!isNamed) yield unreadable(folder, source, "image-name-encoding", "the folder's name is not UTF-8");
    else if (depth > 1) yield* walk(options, `${source}/`, depth - 1);
  }
}

/** What a folder holds; in place of what cannot be listed, why. */
async function* entriesOf(folder: string): AsyncGenerator<Dirent | Error> {
  try {
    yield* await opendir(folder, { encoding: "buffer" as BufferEncoding, bufferSize: 256 });
  } catch (error) {
    yield error instanceof Error ? error : new Error("unknown");
  }
}

function unlistable(folder: string, source: string, { code }: NodeJS.ErrnoException): Listed {
  if (source === "") throw new UsageError(`${maskReference(folder)}: cannot be listed (${code})`);
  return unreadable(folder, source, listingCode(code), `the folder cannot be listed (${code})`);
}

function listingCode(code: string | undefined): ErrorCode {
  if (code === "ENOENT" || code === "ENOTDIR") return "image-not-found";
  return code === "EACCES" || code === "EPERM" || code === "ENAMETOOLONG" ? "image-unreadable" : "storage-unavailable";
}

/** Lists what is no folder, if it counts. */
async function* pick(options: WalkOptions, entry: Dirent, source: string, isNamed: boolean): AsyncGenerator<Listed> {
  const { folder, matches, onIgnored } = options;
  const path = join(folder, source);
  const kind = entry.isSymbolicLink() && isNamed ? await followLink(folder, path) : kindOf(entry);
  const isWanted = kind === "folder outside" || ((matches?.(source) ?? true) && !OTHER_ENDING.test(source));
  if (kind === "folder" || !isWanted) {
    onIgnored();
  } else if (!isNamed) {
    yield unreadable(folder, source, "image-name-encoding", "the file's name is not UTF-8");
  } else if (kind === "file") {
    yield { path, root: folder, source, ref: null, problem: null, unsure: !IMAGE_ENDING.test(source) };
  } else {
    const [code, message] = PROBLEMS[kind];
    yield unreadable(folder, source, code, message);
  }
}

type Kind = "file" | "folder" | keyof typeof PROBLEMS;

const PROBLEMS = {
  nothing: ["image-not-found", "the link leads nowhere"],
  "file outside": ["image-outside-root", "the link leads out of the source"],
  "folder outside": ["image-outside-root", "the link leads to a folder outside of the source"],
  other: ["image-not-a-file", "it is a device, pipe or socket"],
} as const satisfies Record<string, readonly [ErrorCode, string]>;

function kindOf(entry: Pick<Dirent, "isFile" | "isDirectory">): Kind {
  if (entry.isDirectory()) return "folder";
  return entry.isFile() ? "file" : "other";
}

/** A link to a folder inside counts as one: what is in there is walked where it lies. */
async function followLink(folder: string, path: string): Promise<Kind> {
  try {
    const target = await realpath(path);
    const kind = kindOf(await stat(target));
    if (relativeInside(folder, target) !== null) return kind;
    return kind === "folder" ? "folder outside" : "file outside";
  } catch {
    return "nothing";
  }
}

/** Bytes that are not UTF-8 as `%xx`, so that the name can be told and found. */
function escapeBytes(name: Buffer): string {
  return [...name]
    .map((byte) =>
      byte < 0x80 && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");
}
