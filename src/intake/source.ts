import type { SourceFolder } from "../domain/batch.js";
import type { ErrorCode } from "../domain/errors.js";
import { relativeInside } from "../domain/paths.js";

/** One image as a source lists it, before anybody opened it. */
export interface Listed {
  /** Absolute path on this machine; a name that is not UTF-8 is listed with a problem and never opened. */
  readonly path: string;
  /** The folder that the file must be in, links resolved. */
  readonly root: string;
  /** Relative to the source's folder, with `/`: how results name the image. */
  readonly source: string;
  readonly ref: string | null;
  /** What keeps it from being read, if that shows without opening it. */
  readonly problem: ErrorCode | null;
  /** Not known to be an image by its name: counts only if its first bytes say so. */
  readonly unsure: boolean;
}

/** Where images come from: a folder, a file, a glob, a manifest. */
export interface ImageSource {
  /** The same for the same source, wherever it is named from: real path, and pattern for a glob. */
  readonly identity: string;
  /** What the results' `source` is relative to. */
  readonly folder: string;
  /**
   * Lists lazily, in a stable order, in memory that does not grow with the source.
   * @param onIgnored told of each file that is not an image and not listed
   */
  list(onIgnored: () => void, signal: AbortSignal): AsyncIterable<Listed>;
}

/** Named folders that may be read, absolute and with links resolved. */
export type Roots = ReadonlyMap<string, string>;

/** A file or folder as jobs name it: under a named root where it lies in one, else by its absolute path. */
export function toReference(folder: string, roots: Roots): SourceFolder {
  for (const [root, path] of roots) {
    const inside = relativeInside(path, folder);
    if (inside !== null) return { root, path: inside };
  }
  return { path: folder };
}
