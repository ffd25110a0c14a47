import pLimit from "p-limit";
import type { Failure } from "../domain/batch.js";
import { toCardbatchError } from "../domain/errors.js";
import type { FileFacts, ImageKey } from "../domain/image.js";
import type { Listed } from "./source.js";

/** How often a file is tried whose storage fails, and how much longer each wait is. */
const TRIES = 4;
const RETRY_MS = 500;

export interface DigestDeps {
  /**
   * @throws ImageError saying why the file cannot be used
   * @throws CardbatchError that says nothing about the file: a disk that hiccups, too many open files
   */
  readonly readFacts: (path: string, root: string, signal: AbortSignal) => Promise<FileFacts>;
  /** Told of each file that is no image after all. */
  readonly onIgnored: (listed: Listed) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Files open at a time. */
  readonly concurrency: number;
}

/** A listed image with its key and pages; or with what keeps it from being read. */
export interface Digested {
  readonly listed: Listed;
  readonly key: ImageKey | null;
  readonly pages: number;
  readonly problem: Failure | null;
}

/** Reads and hashes what a source lists, several files at a time, and gives them on in the source's order. */
export async function* digestAll(
  list: AsyncIterable<Listed>,
  deps: DigestDeps,
  signal: AbortSignal,
): AsyncGenerator<Digested> {
  const limit = pLimit(deps.concurrency);
  const inOrder: Promise<Digested | Ignored>[] = [];
  for await (const listed of list) {
    const digesting = limit(() => digest(listed, deps, signal));
    // Its turn to be awaited comes later; until then a rejection is not unhandled.
    digesting.catch(() => {});
    inOrder.push(digesting);
    if (inOrder.length >= deps.concurrency * 2) yield* give(inOrder.shift(), deps);
  }
  for (const digesting of inOrder) yield* give(digesting, deps);
}

/** Not an image after all. */
interface Ignored {
  readonly ignored: Listed;
}

async function* give(digesting: Promise<Digested | Ignored> | undefined, deps: DigestDeps): AsyncGenerator<Digested> {
  const digested = await digesting;
  if (digested === undefined) return;
  if ("ignored" in digested) deps.onIgnored(digested.ignored);
  else yield digested;
}

async function digest(listed: Listed, deps: DigestDeps, signal: AbortSignal): Promise<Digested | Ignored> {
  if (listed.problem !== null) return failed(listed, listed.problem);
  for (let tries = 1; ; tries++) {
    try {
      const { key, pages, isImage } = await deps.readFacts(listed.path, listed.root, signal);
      return listed.unsure && !isImage ? { ignored: listed } : { listed, key, pages, problem: null };
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toCardbatchError(thrown);
      if (listed.unsure && (error.code === "image-empty" || error.code === "image-unsupported")) {
        return { ignored: listed };
      }
      if (error.disposition === "fail" || tries === TRIES) return failed(listed, error);
    }
    await deps.sleep(RETRY_MS * tries, signal);
  }
}

function failed(listed: Listed, { code, message }: Failure): Digested {
  return { listed, key: null, pages: 1, problem: { code, message } };
}
