import type { Admission, Batch, Failure, SourceFolder } from "../domain/batch.js";
import type { FileMarks, FileState } from "../domain/file-state.js";
import type { ImageKey } from "../domain/image.js";
import {
  type ImageJob,
  PAYLOAD_SCHEMA,
  type Priority,
  type RequestId,
  referenceText,
  requestId,
} from "../domain/payload.js";
import { type DigestDeps, type Digested, digestAll } from "./digest-page.js";
import { type ImageSource, type Listed, type Roots, toReference } from "./source.js";
import { passOverUnchanged } from "./unchanged.js";

/** Most pages that are asked about and enqueued together. */
const CHUNK = 64;
const BACKLOG_POLL_MS = 50;

/** A page that cannot be read, and why. */
export interface UnreadablePage {
  readonly request: RequestId;
  readonly listed: Listed;
  readonly failure: Failure;
  /** What it can be tried again with; null: its listing must change first. */
  readonly job: ImageJob | null;
}

export interface FeedDeps extends Pick<DigestDeps, "readFacts" | "sleep"> {
  /** Which of these pages still have to be enqueued; counts those never seen before. */
  readonly admit: (pages: readonly Admission[]) => Promise<boolean[]>;
  readonly enqueue: (jobs: readonly { request: RequestId; job: ImageJob }[]) => Promise<void>;
  /** Gives a page that nobody can read its outcome. */
  readonly fail: (page: UnreadablePage) => Promise<void>;
  /** Jobs that wait at present. */
  readonly backlog: () => Promise<number>;
  /** Stands for a name that holds a card number in what its request's id is made of. */
  readonly digestName: (name: string) => string;
  /** Encrypts a reference whose name holds a card number; null where it holds none. */
  readonly sealReference: (image: SourceFolder) => Promise<string | null>;
  readonly onProgress: (progress: FeedProgress) => void;
  /** Which files need not be opened. @default all are */
  readonly marks?: FileMarks;
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
  /** How often a file was opened. */
  readonly opened: number;
  /** Files that were not opened, because they are as they were when they were read. */
  readonly unchanged: number;
  /** The feeder waits because enough jobs wait. */
  readonly waiting: boolean;
}

/** What each step of one feeding needs. */
interface Feeding {
  readonly options: FeedOptions;
  readonly deps: FeedDeps;
  readonly progress: { -readonly [Field in keyof FeedProgress]: FeedProgress[Field] };
  readonly signal: AbortSignal;
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
  const { sources, concurrency, mostWaiting } = options;
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const progress = { listed: 0, enqueued: 0, ignored: 0, opened: 0, unchanged: 0, waiting: false };
  const readFacts: FeedDeps["readFacts"] = (...file) => {
    progress.opened++;
    return deps.readFacts(...file);
  };
  const onIgnored = () => {
    progress.ignored++;
  };
  let noImages: FileState[] = [];
  const onNoImage = ({ state }: Listed) => {
    onIgnored();
    if (state != null) noImages.push(state);
  };
  const feeding = { options, deps, progress, signal };
  const chunkSize = Math.min(CHUNK, mostWaiting);
  let chunk: Page[] = [];
  let enqueuing: Promise<void> = Promise.resolve();
  /** The next chunk is read while this one is enqueued. */
  const flush = async () => {
    const full = chunk;
    const read = [...noImages, ...statesOf(full)];
    chunk = [];
    noImages = [];
    await enqueuing;
    enqueuing = enqueueChunk(full, feeding).then(() => deps.marks?.note(read));
    // Its turn to be awaited comes later; until then a rejection is not unhandled.
    enqueuing.catch(() => {});
  };
  for (const source of sources) {
    if (progress.listed >= limit) break;
    const listed = passOver(source.list(onIgnored, signal), feeding);
    const digested = digestAll(listed, { ...deps, readFacts, onIgnored: onNoImage, concurrency }, signal);
    for await (const page of pagesOf(digested, options, deps)) {
      progress.listed++;
      chunk.push(page);
      if (chunk.length >= chunkSize) await flush();
      if (progress.listed >= limit) break;
    }
  }
  await flush();
  await enqueuing;
  deps.onProgress(progress);
  return progress;
}

/** Leaves out the files that need not be opened. */
function passOver(list: AsyncIterable<Listed>, { options, deps, progress, signal }: Feeding): AsyncIterable<Listed> {
  const { marks, digestName } = deps;
  if (marks === undefined) return list;
  const onUnchanged = () => {
    progress.unchanged++;
  };
  return passOverUnchanged(list, { marks, roots: options.roots, digestName, onUnchanged, now: Date.now }, signal);
}

/** The files of which these are the last pages, and which could be read. */
function statesOf(pages: readonly Page[]): FileState[] {
  return pages.flatMap(({ digested: { listed, pages: count, problem }, page }) =>
    listed.state != null && problem === null && page === count - 1 ? [listed.state] : [],
  );
}

async function* pagesOf(
  digested: AsyncIterable<Digested>,
  { batch, roots }: FeedOptions,
  deps: Pick<FeedDeps, "digestName">,
): AsyncGenerator<Page> {
  for await (const file of digested) {
    const image = toReference(file.listed.path, roots);
    for (let page = 0; page < file.pages; page++) {
      const request = requestId(batch.name, referenceText(image, deps.digestName), page, file.listed.ref);
      yield { digested: file, request, image, page };
    }
  }
}

async function enqueueChunk(chunk: readonly Page[], feeding: Feeding): Promise<void> {
  if (chunk.length === 0) return;
  const { options, deps, progress } = feeding;
  const admissions = chunk.map(({ request, digested, page }) => ({ request, imageKey: digested.key, page }));
  const wanted = await deps.admit(admissions);
  const jobs: { request: RequestId; job: ImageJob }[] = [];
  for (const [i, page] of chunk.entries()) {
    if (wanted[i] !== true) continue;
    const { request, digested } = page;
    if (digested.problem !== null) await deps.fail(await unreadablePage(page, digested.problem, options, deps));
    else if (digested.key !== null) jobs.push({ request, job: await toJob(page, digested.key, options, deps) });
  }
  if (jobs.length > 0) {
    await waitForRoom(jobs.length, feeding);
    await deps.enqueue(jobs);
    progress.enqueued += jobs.length;
  }
  deps.onProgress(progress);
}

async function unreadablePage(page: Page, failure: Failure, options: FeedOptions, deps: FeedDeps) {
  const { request, digested } = page;
  const job = digested.listed.problem === null ? await toJob(page, null, options, deps) : null;
  return { request, listed: digested.listed, failure, job };
}

async function toJob(
  page: Page,
  key: ImageKey | null,
  { batch, priority }: FeedOptions,
  deps: FeedDeps,
): Promise<ImageJob> {
  const sealed = await deps.sealReference(page.image);
  const where = sealed === null ? page.image : { sealed };
  return {
    schema: PAYLOAD_SCHEMA,
    // The one page of an image goes without saying, and each waiting job is the lighter for it.
    image: { ...where, ...(key === null ? {} : { key }), ...(page.digested.pages > 1 ? { page: page.page } : {}) },
    batch: batch.name,
    ...(page.digested.listed.ref === null ? {} : { ref: page.digested.listed.ref }),
    ...(priority === "batch" ? {} : { priority }),
  };
}

/** Waits until so many jobs more are no more than may wait. */
async function waitForRoom(jobs: number, { options, deps, progress, signal }: Feeding): Promise<void> {
  while ((await deps.backlog()) + jobs > options.mostWaiting) {
    progress.waiting = true;
    deps.onProgress(progress);
    await deps.sleep(BACKLOG_POLL_MS, signal);
  }
  progress.waiting = false;
}
