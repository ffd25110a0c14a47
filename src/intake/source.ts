import type { Failure, SourceFolder } from "../domain/batch.js";
import type { ErrorCode } from "../domain/errors.js";
import type { FileState } from "../domain/file-state.js";
import { relativeInside } from "../domain/paths.js";

/** One image as a source lists it, before anybody opened it. */
export interface Listed {
  /** Absolute path on this machine. */
  readonly path: string;
  /** The folder that the file must be in, links resolved. */
  readonly root: string;
  /** Relative to the source's folder, with `/`: how results name the image. */
  readonly source: string;
  readonly ref: string | null;
  /** What keeps it from being read, if that shows without opening it; then `path` is never opened. */
  readonly problem: Failure | null;
  /** Not known to be an image by its name: counts only if its first bytes say so. */
  readonly unsure: boolean;
  /** What its listing says of it that is another one when the file has changed; null: nothing. @default the file system is asked */
  readonly stamp?: string | null;
  /** How its folder knew it before it was opened, where that is of interest; null: it could not be looked at. */
  readonly state?: FileState | null;
}

/** Where images come from: a folder, a file, a glob, a manifest. */
export interface ImageSource {
  readonly kind: "folder" | "glob" | "file" | "manifest";
  /** The same for the same source, wherever it is named from: real path, and pattern for a glob. */
  readonly identity: string;
  /** What the results' `source` is relative to. */
  readonly folder: string;
  /**
   * Lists lazily, in a stable order, in memory that does not grow with the source.
   * @param onIgnored told of each file that is not an image and not listed
   * @throws UsageError when the source itself cannot be read
   */
  list(onIgnored: () => void, signal: AbortSignal): AsyncIterable<Listed>;
}

/** Named folders that may be read, absolute and with links resolved. */
export type Roots = ReadonlyMap<string, string>;

/**
 * A file or folder as jobs name it: under a named root where it lies in one, else by its absolute path. Of roots within one
 * another the outermost counts, so that a folder and every file in it are named under the same one.
 */
export function toReference(path: string, roots: Roots): SourceFolder {
  let reference: SourceFolder = { path };
  let shortest = Number.POSITIVE_INFINITY;
  for (const [root, folder] of roots) {
    const inside = relativeInside(folder, path);
    if (inside === null || folder.length >= shortest) continue;
    reference = { root, path: inside };
    shortest = folder.length;
  }
  return reference;
}

/**
 * An image that cannot be read, as its listing alone tells. Its path differs from that of every file (no name holds a zero
 * byte), so that it is a request of its own.
 * @param id what tells it apart from others of this source, where its name does not
 */
export function unreadable(root: string, source: string, code: ErrorCode, message: string, id = source): Listed {
  return { path: `${root}/\0${id}`, root, source, ref: null, problem: { code, message }, unsure: false };
}
