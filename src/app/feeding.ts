import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { Batch } from "../domain/batch.js";
import { objectPlace } from "../domain/bucket-path.js";
import { CancelledError, ConfigError, UsageError } from "../domain/errors.js";
import type { FileMarks } from "../domain/file-state.js";
import type { FileFacts } from "../domain/image.js";
import type { Priority } from "../domain/payload.js";
import { isOpen } from "../domain/window.js";
import { factsOf } from "../image/file-facts.js";
import type { FileReader } from "../image/file-reader.js";
import { type FeedProgress, feed, type UnreadablePage } from "../intake/feed.js";
import { type ListKeys, openSource } from "../intake/open-source.js";
import { type ImageSource, type Roots, toReference } from "../intake/source.js";
import { queryRows } from "../postgres/query-rows.js";
import { recordFailure } from "../recognition/make-record.js";
import { nameSource, sealReference } from "../recognition/resolve-reference.js";
import { S3Error } from "../s3/s3-client.js";
import { type Buckets, createBuckets } from "./buckets.js";
import { rememberRoots } from "./folder-names.js";
import { namedRoots } from "./readable-roots.js";

const DAY_MS = 24 * 3600_000;
/** Files that wait to be read or are read at a time: so many that the threads have some while a chunk is enqueued. */
export const FILES_AT_A_TIME = 32;

export interface FeedingOptions {
  readonly backlog: number;
  readonly limit: number | null;
  readonly priority: Priority;
  /** Only recorded outcomes count: those on their way may have got lost. @default false */
  readonly distrust?: boolean;
  /** Which files need not be opened. @default all are */
  readonly marks?: FileMarks | null;
  readonly onProgress: (progress: FeedProgress) => void;
}

/** The sources that a command names, and the roots they lie in. */
export interface OpenedSources {
  readonly sources: readonly ImageSource[];
  readonly roots: Roots;
}

/** @param ignored files of the sources that are no images */
export function noImage(ignored: number): UsageError {
  const others = ignored === 0 ? "there are no files" : `${ignored} other files are there`;
  return new UsageError(`the sources hold no image (JPEG, PNG, BMP, TIFF or WebP): ${others}`);
}

/**
 * @throws UsageError when a source is missing
 * @throws ConfigError when roots are configured and a source lies in none of them: no worker would read it
 */
export async function openSources(
  config: App["config"],
  names: readonly string[],
  encoding: string,
): Promise<OpenedSources> {
  const roots = await namedRoots(config.roots ?? []);
  const sources = await Promise.all(
    names.map((name) => openSource(name, { roots, encoding, query: queryOf(config), listKeys: listKeysOf(config) })),
  );
  for (const { folder, kind } of sources) {
    if (config.roots !== undefined && kind !== "manifest" && toReference(folder, roots).root === undefined) {
      throw new ConfigError(`CARDBATCH_ROOTS: ${folder} lies in none of the roots; add it, or unset CARDBATCH_ROOTS`);
    }
  }
  return { sources, roots };
}

function queryOf({ database }: App["config"]) {
  return database === undefined ? undefined : (text: string, signal: AbortSignal) => queryRows(database, text, signal);
}

/** A client for each listing, which may be hours apart from the next. */
function listKeysOf(config: App["config"]): ListKeys {
  return async function* ({ bucket, key }, signal) {
    const buckets = createBuckets(config);
    try {
      yield* buckets.client().list(bucket, key, signal);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      throw new UsageError(`s3://${bucket}: the store does not list it (${error.message})`);
    } finally {
      await buckets.close();
    }
  };
}

/** Puts every page of the sources that has no outcome yet on the queue; and makes room, of batches long forgotten. */
export async function feedBatch(
  app: App,
  batch: Batch,
  { sources, roots }: OpenedSources,
  options: FeedingOptions,
  signal: AbortSignal,
): Promise<FeedProgress> {
  await app.batches.sweep(app.config.batchRetentionDays * DAY_MS);
  await rememberRoots(
    app,
    sources.map(({ folder }) => folder),
  );
  return feed(
    {
      batch,
      sources,
      roots,
      priority: options.priority,
      concurrency: FILES_AT_A_TIME,
      mostWaiting: options.backlog,
      limit: options.limit,
    },
    {
      readFacts: (path, root, stop) => readFacts(path, root, stop, app),
      admit: async (pages) => {
        if ((await app.batches.halt(batch.name)) === "cancelled") throw new CancelledError("the batch was cancelled");
        return app.batches.admit(batch, pages, options.distrust === true ? "recorded" : "published");
      },
      enqueue: async (jobs) => {
        await app.images.add(jobs);
        app.emit({ type: "enqueued", count: jobs.length });
      },
      fail: (page) => failUnreadable(app, batch, page),
      backlog: () => backlogFor(app, batch),
      digestName: app.vault.digestName,
      sealReference: (image) => sealReference(image, batch.name, app.vault),
      onProgress: options.onProgress,
      sleep: async (ms, stop) => void (await sleep(ms, undefined, { signal: stop })),
      ...(options.marks == null ? {} : { marks: options.marks }),
    },
    signal,
  );
}

/**
 * Jobs that wait. Those that sleep because their batch may not go on are in nobody's way; but a batch that may not go on
 * itself counts them, so that its own sleepers never become more than may wait.
 */
async function backlogFor({ images, batches }: App, { name, window }: Batch): Promise<number> {
  const [waiting, asleep] = await Promise.all([images.backlog(), images.asleep()]);
  if (asleep === 0) return waiting;
  const { money, halt } = await batches.counts(name);
  const mayGoOn = isOpen(window, Date.now()) && !money.spent && halt === null;
  return mayGoOn ? waiting - asleep : waiting;
}

/** Of a file, or of an object in a bucket. */
export async function readFacts(
  path: string,
  root: string,
  signal: AbortSignal,
  { files, buckets }: { readonly files: FileReader; readonly buckets: Pick<Buckets, "read"> },
): Promise<FileFacts> {
  return objectPlace(path) === null ? files.look(path, root, signal) : factsOf(await buckets.read(path, signal));
}

async function failUnreadable(
  app: App,
  batch: Batch,
  { request, listed, failure, job }: UnreadablePage,
): Promise<void> {
  const facts = {
    request,
    imageKey: null,
    page: 0,
    name: await nameSource(listed.source, request, await app.sealOf(batch.destination)),
    batch: batch.name,
    ref: listed.ref,
    calls: 0,
    attempts: 1,
    finishedAt: new Date(),
  };
  const record = recordFailure(facts, failure, null);
  await app.outcomes.publish(record, batch.destination, batch.generation, job);
  app.emit({ type: "finished", record, durationMs: 0 });
}
