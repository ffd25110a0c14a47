import { setTimeout } from "node:timers/promises";
import pLimit from "p-limit";
import { type ErrorCode, toCardbatchError } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";
import type { Listed } from "./source.js";

/** How often a file is tried whose storage fails, and how much longer each wait is. */
const TRIES = 4;
const RETRY_MS = 500;

/** What reading an image's bytes tells. */
export interface FileFacts {
  readonly key: ImageKey;
  readonly pages: number;
  readonly isImage: boolean;
}

/** @throws ImageError saying why the file cannot be used */
export type ReadFacts = (path: string, root: string, signal: AbortSignal) => Promise<FileFacts>;

/** A listed image with its key and pages; or with what keeps it from being read. */
export interface Digested {
  readonly listed: Listed;
  readonly key: ImageKey | null;
  readonly pages: number;
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null;
}

/**
 * Reads and hashes what a source lists, several files at a time, and gives them on in the source's order.
 * @param concurrency files open at a time
 */
export async function* digestAll(
  list: AsyncIterable<Listed>,
  readFacts: ReadFacts,
  concurrency: number,
  onIgnored: () => void,
  signal: AbortSignal,
): AsyncGenerator<Digested> {
  const limit = pLimit(concurrency);
  const inOrder: Promise<Digested | null>[] = [];
  for await (const listed of list) {
    const digesting = limit(() => digest(listed, readFacts, signal));
    // Its turn to be awaited comes later; until then a rejection is not unhandled.
    digesting.catch(() => {});
    inOrder.push(digesting);
    if (inOrder.length >= concurrency * 2) yield* give(inOrder.shift(), onIgnored);
  }
  for (const digesting of inOrder) yield* give(digesting, onIgnored);
}

async function* give(digesting: Promise<Digested | null> | undefined, onIgnored: () => void): AsyncGenerator<Digested> {
  const digested = await digesting;
  if (digested === null) onIgnored();
  else if (digested !== undefined) yield digested;
}

/** Null: not an image after all. */
async function digest(listed: Listed, readFacts: ReadFacts, signal: AbortSignal): Promise<Digested | null> {
  for (let tries = 1; ; tries++) {
    try {
      return await digestOnce(listed, readFacts, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toCardbatchError(thrown);
      if (tries < TRIES) await setTimeout(RETRY_MS * tries, undefined, { signal });
      else return { listed, key: null, pages: 1, problem: { code: error.code, message: error.message } };
    }
  }
}

/** @throws CardbatchError that says nothing about the file: a disk that hiccups, too many open files */
async function digestOnce(listed: Listed, readFacts: ReadFacts, signal: AbortSignal): Promise<Digested | null> {
  const failed = (code: ErrorCode, message: string) => ({ listed, key: null, pages: 1, problem: { code, message } });
  if (listed.problem !== null) return failed(listed.problem, PROBLEMS[listed.problem] ?? "it cannot be read");
  try {
    const { key, pages, isImage } = await readFacts(listed.path, listed.root, signal);
    if (listed.unsure && !isImage) return null;
    return { listed, key, pages, problem: null };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toCardbatchError(thrown);
    if (listed.unsure && (error.code === "image-empty" || error.code === "image-unsupported")) return null;
    if (error.disposition === "fail") return failed(error.code, error.message);
    throw error;
  }
}

/** What a listing alone can find wrong, in words. */
const PROBLEMS: Partial<Record<ErrorCode, string>> = {
  "image-not-found": "the link leads nowhere",
  "image-not-a-file": "it is a device, pipe, socket or folder",
  "image-outside-root": "it lies outside the source",
  "image-unreadable": "the folder cannot be listed",
  "image-name-encoding": "the file's name is not UTF-8",
  "image-reference": "the line names no file",
  "ref-refused": "the ref is too long or holds what looks like a card number",
};
