import type { Admission, Batch, Failure, SourceFolder } from "../domain/batch.js";
import type { ImageKey } from "../domain/image.js";
import {
  type ImageJob,
  PAYLOAD_SCHEMA,
  type Priority,
  type RequestId,
  referenceText,
  requestId,
} from "../domain/payload.js";
import { type Digested, digestAll, type ReadFacts } from "./digest-page.js";
import { type ImageSource, type Listed, type Roots, toReference } from "./source.js";

/** Most pages that are asked about and enqueued together. */
const CHUNK = 64;
const BACKLOG_POLL_MS = 50;

/** A page that cannot be read, and why. */
export interface UnreadablePage {
  readonly request: RequestId;
  readonly listed: Listed;
  readonly failure: Failure;
}

export interface FeedDeps {
  readonly readFacts: ReadFacts;
  /** Which of these pages still have to be enqueued; counts those never seen before. */
  readonly admit: (pages: readonly Admission[]) => Promise<boolean[]>;
  readonly enqueue: (jobs: readonly { request: RequestId; job: ImageJob }[]) => Promise<void>;
  /** Gives a page that nobody can read its outcome. */
  readonly fail: (page: UnreadablePage) => Promise<void>;
  /** Jobs that wait at present. */
  readonly backlog: () => Promise<number>;
  /** Encrypts a reference whose name holds a card number; null where it holds none. */
  readonly sealReference: (image: SourceFolder) => Promise<string | null>;
  readonly onProgress: (progress: FeedProgress) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface FeedOptions {
  readonly batch: Batch;
  readonly sources: readonly ImageSource[];
  readonly roots: Roots;
  readonly priority: Priority;
  /** Files read at a time. */
  readonly concurrency: number;
  /** Most jobs that may wait. */
  readonly mostWaiting: number;
  /** Most pages to take; null: all. */
  readonly limit: number | null;
}

export interface FeedProgress {
  /** Pages listed so far in this run. */
  readonly listed: number;
  /** Of these, pages enqueued; the rest had their outcome already or cannot be read. */
  readonly enqueued: number;
  readonly ignored: number;
  /** The feeder waits because enough jobs wait. */
  readonly waiting: boolean;
}

interface Page {
  readonly digested: Digested;
  readonly request: RequestId;
  readonly image: SourceFolder;
  readonly page: number;
}

/**
 * Lists, hashes and enqueues the sources of a batch, never more than `mostWaiting` jobs ahead of the workers. Pages that
 * have their outcome are passed over, so that feeding again resumes.
 */
export async function feed(options: FeedOptions, deps: FeedDeps, signal: AbortSignal): Promise<FeedProgress> {
  const progress = { listed: 0, enqueued: 0, ignored: 0, waiting: false };
  const onIgnored = () => {
    progress.ignored++;
  };
  const chunkSize = Math.min(CHUNK, options.mostWaiting);
  let chunk: Page[] = [];
  const flush = async () => {
    progress.enqueued += await enqueueChunk(chunk, options, deps);
    chunk = [];
    deps.onProgress(progress);
    await waitForRoom(options, deps, progress, signal);
  };
  for (const source of options.sources) {
    const digested = digestAll(source.list(onIgnored, signal), deps.readFacts, options.concurrency, onIgnored, signal);
    for await (const page of pagesOf(digested, options)) {
      if (options.limit !== null && progress.listed >= options.limit) break;
      progress.listed++;
      chunk.push(page);
      if (chunk.length >= chunkSize) await flush();
    }
  }
  await flush();
  return progress;
}

async function* pagesOf(digested: AsyncIterable<Digested>, { batch, roots }: FeedOptions): AsyncGenerator<Page> {
  for await (const file of digested) {
    const image = referenceTo(file.listed, roots);
    for (let page = 0; page < file.pages; page++) {
      const request = requestId(batch.name, referenceText(image), page, file.listed.ref);
      yield { digested: file, request, image, page };
    }
  }
}

function referenceTo(listed: Listed, roots: Roots): SourceFolder {
  // A name that is not UTF-8, or a link, keeps the place it was listed at.
  const path = listed.problem === "image-name-encoding" ? `${listed.root}/${listed.source}` : listed.path;
  return toReference(path, roots);
}

async function enqueueChunk(chunk: readonly Page[], options: FeedOptions, deps: FeedDeps): Promise<number> {
  if (chunk.length === 0) return 0;
  const admissions = chunk.map(({ request, digested, page }) => ({ request, imageKey: digested.key, page }));
  const wanted = await deps.admit(admissions);
  const due = chunk.filter((_, i) => wanted[i]);
  const jobs: { request: RequestId; job: ImageJob }[] = [];
  for (const page of due) {
    const { request, digested } = page;
    if (digested.problem !== null) await deps.fail({ request, listed: digested.listed, failure: digested.problem });
    else if (digested.key !== null) jobs.push({ request, job: await toJob(page, digested.key, options, deps) });
  }
  await deps.enqueue(jobs);
  return jobs.length;
}

async function toJob(page: Page, key: ImageKey, { batch, priority }: FeedOptions, deps: FeedDeps): Promise<ImageJob> {
  const sealed = await deps.sealReference(page.image);
  const where = sealed === null ? page.image : { sealed };
  return {
    schema: PAYLOAD_SCHEMA,
    image: { ...where, key, page: page.page },
    batch: batch.name,
    ...(page.digested.listed.ref === null ? {} : { ref: page.digested.listed.ref }),
    ...(priority === "batch" ? {} : { priority }),
  };
}

async function waitForRoom(
  { mostWaiting }: FeedOptions,
  deps: FeedDeps,
  progress: { waiting: boolean } & FeedProgress,
  signal: AbortSignal,
): Promise<void> {
  while ((await deps.backlog()) >= mostWaiting) {
    progress.waiting = true;
    deps.onProgress(progress);
    await deps.sleep(BACKLOG_POLL_MS, signal);
  }
  progress.waiting = false;
}
