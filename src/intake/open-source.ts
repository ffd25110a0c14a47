import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import picomatch from "picomatch";
import { UsageError } from "../domain/errors.js";
import { listManifest } from "./manifest.js";
import type { ImageSource, Roots } from "./source.js";
import { walkFolder } from "./walk-folder.js";

export interface OpenSourceOptions {
  readonly roots: Roots;
  /** Of manifests. */
  readonly encoding: string;
}

/**
 * Makes a source of what the command line names: a folder, a file, a glob, or a manifest (`.txt`, `.csv`, `.ndjson`).
 * @throws UsageError when nothing is there
 */
export async function openSource(argument: string, options: OpenSourceOptions): Promise<ImageSource> {
  const path = resolve(argument);
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return folderSource(await realpath(path));
  if (found !== null && /\.(txt|csv|ndjson|jsonl)$/i.test(path)) return manifestSource(path, options);
  if (found !== null) return fileSource(path);
  const { base, isGlob, glob } = picomatch.scan(argument);
  if (isGlob) return globSource(resolve(base), glob, argument);
  throw new UsageError(`${argument}: no such file or folder`);
}

function folderSource(folder: string): ImageSource {
  return { identity: folder, folder, list: (onIgnored, signal) => walkFolder({ folder, onIgnored, signal }) };
}

async function globSource(base: string, glob: string, argument: string): Promise<ImageSource> {
  const folder = await realpath(base).catch(() => {
    throw new UsageError(`${argument}: no such folder: ${base}`);
  });
  const matches = picomatch(glob);
  const list = (onIgnored: () => void, signal: AbortSignal) => walkFolder({ folder, matches, onIgnored, signal });
  return { identity: join(folder, glob), folder, list };
}

async function fileSource(path: string): Promise<ImageSource> {
  const folder = await realpath(dirname(path));
  const name = basename(path);
  return {
    identity: join(folder, name),
    folder,
    list: async function* () {
      yield { path: join(folder, name), root: folder, source: name, ref: null, problem: null, unsure: false };
    },
  };
}

async function manifestSource(path: string, { roots, encoding }: OpenSourceOptions): Promise<ImageSource> {
  const folder = await realpath(dirname(path));
  const list = (_onIgnored: () => void, signal: AbortSignal) => listManifest({ path, folder, roots, encoding }, signal);
  return { identity: join(folder, basename(path)), folder, list };
}
