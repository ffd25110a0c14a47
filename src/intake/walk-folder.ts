import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { opendir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorCode } from "../domain/errors.js";
import { relativeInside } from "../domain/paths.js";
import type { Listed } from "./source.js";

/** Endings that name an image we read, or one that we don't and say so; other files count if their first bytes do. */
const IMAGE_ENDING = /\.(jpe?g|jpe|jfif|png|bmp|dib|tiff?|webp|gif|hei[cf]|avif|jp2|pdf|svg)$/i;
const OTHER_ENDING =
  /\.(txt|csv|tsv|json|ndjson|xml|html?|md|log|zip|gz|7z|rar|tar|db|ini|exe|dll|docx?|xlsx?|mp4|mov|py|sh)$/i;

export interface WalkOptions {
  /** The folder, absolute, links resolved. */
  readonly folder: string;
  /** Which files count; absent: those that look like images. Takes the path relative to `folder`. */
  readonly matches?: (source: string) => boolean;
  readonly onIgnored: () => void;
  readonly signal: AbortSignal;
}

/**
 * Every file below a folder, as the file system gives them: no sorting, so that a million entries need no more memory
 * than ten. Hidden files and folders are left out; links are followed to files inside the folder and nowhere else.
 */
export async function* walkFolder(options: WalkOptions): AsyncGenerator<Listed> {
  yield* walk(options, options.folder, "");
}

async function* walk(options: WalkOptions, folder: string, prefix: string): AsyncGenerator<Listed> {
  let directory: AsyncIterable<Dirent>;
  try {
    directory = await opendir(folder, { encoding: "buffer" as BufferEncoding, bufferSize: 256 });
  } catch {
    yield listed(options, folder, prefix.slice(0, -1), "image-unreadable");
    return;
  }
  for await (const entry of directory) {
    options.signal.throwIfAborted();
    const bytes = entry.name as unknown as Buffer;
    if (!isUtf8(bytes)) {
      yield listed(options, folder, prefix + escapeBytes(bytes), "image-name-encoding");
      continue;
    }
    const name = bytes.toString();
    if (name.startsWith(".")) options.onIgnored();
    else if (entry.isDirectory()) yield* walk(options, join(folder, name), `${prefix}${name}/`);
    else yield* classify(options, entry, join(folder, name), prefix + name);
  }
}

async function* classify(options: WalkOptions, entry: Dirent, path: string, source: string): AsyncGenerator<Listed> {
  if (entry.isSymbolicLink()) {
    const problem = await followLink(options.folder, path);
    if (problem === "ignore") options.onIgnored();
    else if (problem !== null) yield listed(options, path, source, problem);
    else yield* pick(options, path, source);
  } else if (!entry.isFile()) {
    yield listed(options, path, source, "image-not-a-file");
  } else {
    yield* pick(options, path, source);
  }
}

function* pick(options: WalkOptions, path: string, source: string): Generator<Listed> {
  if (options.matches !== undefined) {
    if (options.matches(source)) yield listed(options, path, source, null);
    else options.onIgnored();
  } else if (IMAGE_ENDING.test(source)) {
    yield listed(options, path, source, null);
  } else if (OTHER_ENDING.test(source)) {
    options.onIgnored();
  } else {
    yield { ...listed(options, path, source, null), unsure: true };
  }
}

/** A link to a folder inside is ignored: what is in there is walked where it lies. */
async function followLink(folder: string, path: string): Promise<ErrorCode | "ignore" | null> {
  try {
    const target = await realpath(path);
    if (relativeInside(folder, target) === null) return "image-outside-root";
    const { isDirectory, isFile } = await stat(target).then((s) => ({
      isDirectory: s.isDirectory(),
      isFile: s.isFile(),
    }));
    if (isDirectory) return "ignore";
    return isFile ? null : "image-not-a-file";
  } catch {
    return "image-not-found";
  }
}

function listed({ folder }: WalkOptions, path: string, source: string, problem: ErrorCode | null): Listed {
  return { path, root: folder, source, ref: null, problem, unsure: false };
}

/** Bytes that are not UTF-8 as `%xx`, so that the name can be told and found. */
function escapeBytes(name: Buffer): string {
  return [...name]
    .map((byte) =>
      byte < 0x80 && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");
}
