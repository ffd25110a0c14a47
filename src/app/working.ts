import { availableParallelism } from "node:os";
import type { App } from "../app.js";
import { createDispatcher } from "../dispatch/dispatch-page.js";
import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { Batch } from "../domain/batch.js";
import type { Dispatcher, StopSignals } from "../domain/dispatcher.js";
import { ConfigError } from "../domain/errors.js";
import type { Pace } from "../domain/pace.js";
import { nameSchema, requestId } from "../domain/payload.js";
import { STAGED_ROOT } from "../domain/received.js";
import { remembered, rememberedBy } from "../domain/remembered.js";
import { countPages } from "../image/inspect-page.js";
import { prepareImage } from "../image/prepare-image.js";
import { createHttpClient } from "../providers/http-client.js";
import { createImageWorker, type ImageWorker } from "../queue/image-worker.js";
import { createLedger } from "../queue/ledger.js";
import { FIRST_GENERATION } from "../queue/mark.js";
import { createPace } from "../queue/pace.js";
import { guardPreparing } from "../queue/prepare-guard.js";
import { recordFailure } from "../recognition/make-record.js";
import { createRecognizer } from "../recognition/recognize-card.js";
import { judge } from "../verify/judge.js";
import { normalizeAnswer } from "../verify/normalize-answer.js";
import { openFolders } from "./folder-names.js";
import { type GoldenLane, startGolden } from "./golden.js";
import { buildProvider, concurrencyOf, limitsOf } from "./providers.js";
import { readableRoots } from "./readable-roots.js";
import { openImages } from "./staging.js";
import { thresholdsOf } from "./thresholds.js";

const DAY_MS = 24 * 3600_000;
/** How stale what a worker knows of a batch, and of the roots, may be. */
const KNOWN_MS = 1000;

export interface WorkingOptions {
  /** Those that must be usable; others are, if their settings are there. */
  readonly providers: readonly ProviderName[];
  /** Calls under way at a time, with each provider; null: what its settings make of it. */
  readonly concurrency: number | null;
  readonly stop: StopSignals;
}

export interface Working {
  readonly dispatcher: (provider: ProviderName) => Dispatcher | null;
  readonly pace: (provider: ProviderName) => Pace | null;
  readonly concurrency: number;
  close(): Promise<void>;
}

/**
 * Starts a worker: every provider that can be used gets its lane, and jobs are taken until it is closed.
 * @throws ConfigError when one of `options.providers` lacks settings
 */
export async function startWorking(app: App, options: WorkingOptions): Promise<Working> {
  const lanes = await openLanes(app, options);
  const concurrency = Math.max(...[...lanes.values()].map((lane) => lane.concurrency));
  const dispatcher = (name: ProviderName) => lanes.get(name)?.dispatcher ?? null;
  const worker = createWorker(app, { ...options, concurrency: jobsFor(concurrency) }, dispatcher);
  const golden = await startGolden(app, (name) => lanes.get(name)?.dispatcher ?? null, options.stop);
  const close = app.defer(async () => {
    await worker.close();
    await golden?.close();
    for (const lane of lanes.values()) await lane.close();
  });
  return { dispatcher, pace: (name) => lanes.get(name)?.pace ?? null, concurrency, close };
}

/** While so many calls are under way, the next pages are prepared and the last answers stored. */
function jobsFor(calls: number): number {
  return calls + Math.ceil(calls / 4);
}

interface Lane {
  readonly dispatcher: Dispatcher & GoldenLane;
  readonly pace: Pace | null;
  readonly concurrency: number;
  close(): Promise<void>;
}

async function openLanes(app: App, options: WorkingOptions): Promise<ReadonlyMap<ProviderName, Lane>> {
  const threads = availableParallelism();
  const callsOf = (name: ProviderName) => options.concurrency ?? concurrencyOf(name, app.config[name], threads);
  const connections = Math.max(...PROVIDER_NAMES.map(callsOf));
  const { httpsProxy, noProxy } = app.config;
  const http = createHttpClient({ connections, httpsProxy, noProxy });
  const parts = { http, engine: app.engine };
  app.defer(() => http.close());
  const ledger = createLedger(app.redis, app.keys, {
    presence: app.presence.id,
    retentionMs: app.config.retentionDays * DAY_MS,
    isSettling: app.redisHealth.isSettling,
  });
  const lanes = new Map<ProviderName, Lane>();
  for (const name of PROVIDER_NAMES) {
    const provider = tryBuild(() => buildProvider(name, app.config, parts), options.providers.includes(name));
    if (provider === null) continue;
    const limits = limitsOf(name, app.config[name]);
    const { burst, timeoutMs } = app.config[name];
    const paceOptions = { provider: name, account: provider.account, burst, timeoutMs, presence: app.presence.id };
    const pace = limits === null ? null : await createPace(app.redis, app.keys, { ...paceOptions, limits });
    const { sealAnswer, openAnswer } = app.vault;
    const dispatcher = createDispatcher(
      { provider, pace, timeoutMs, concurrency: callsOf(name) },
      { ledger, sealAnswer, openAnswer, emit: app.emit },
    );
    lanes.set(name, {
      dispatcher,
      pace,
      concurrency: callsOf(name),
      close: async () => {
        await pace?.close();
        await provider.close();
      },
    });
  }
  return lanes;
}

/** A provider that nobody asked for by name may lack its settings. */
function tryBuild<T>(build: () => T, isNeeded: boolean): T | null {
  try {
    return build();
  } catch (error) {
    if (error instanceof ConfigError && !isNeeded) return null;
    throw error;
  }
}

function createWorker(
  app: App,
  options: WorkingOptions & { readonly concurrency: number },
  dispatcher: (provider: ProviderName) => Dispatcher | null,
): ImageWorker {
  const { redis, keys, batches, images, outcomes, vault } = app;
  const knownRoots = remembered(() => readableRoots(app), KNOWN_MS);
  const batchOf = rememberedBatches(app, options.providers);
  const recognizer = createRecognizer({
    readableRoots: (fresh) => (fresh ? readableRoots(app) : knownRoots()),
    openImage: openImages(app, async () => (await knownRoots()).named.get(STAGED_ROOT)),
    countPages,
    prepareImage: (bytes, page, bounds, request, signal) =>
      prepareImage(bytes, page, bounds, signal, (decode) =>
        guardPreparing(redis, keys, request, () => {
          app.emit({ type: "step", step: "decoding", request });
          return decode();
        }),
      ),
    dispatcher,
    normalize: normalizeAnswer,
    judge,
    vault,
    sealOf: app.sealOf,
    now: () => new Date(),
    random: Math.random,
  });
  return createImageWorker(redis, keys, options, {
    recognize: recognizer.recognize,
    batch: batchOf,
    publish: async (record, ...to) => outcomes.publish(await app.reviews.apply(record), ...to),
    isCancelled: async (batch) => (await batches.halt(batch)) === "cancelled",
    isFull: outcomes.isFull,
    addPages: async (pages, batch) => {
      const due = await batches.admit(batch, pages);
      await images.add(pages.filter((_, i) => due[i]));
    },
    refuse: refuseJob,
    isSettling: app.redisHealth.isSettling,
    emit: app.emit,
  });
}

/**
 * Batches by name. One that nobody has opened is asked for each time: its first jobs may be here before a worker could know
 * where their outcomes go.
 */
function rememberedBatches(app: App, providers: readonly ProviderName[]): (name: string) => Promise<Batch> {
  const ask = async (name: string) => {
    const batch = await app.batches.get(name);
    return batch === null ? null : { ...batch, sources: await openFolders(batch.sources, app.vault) };
  };
  const known = rememberedBy(ask, KNOWN_MS);
  return async (name) => (await known(name)) ?? (await ask(name)) ?? unopened(app, name, providers);
}

/** What stands in for a batch that no run or enqueue has opened: jobs of other services. */
function unopened(app: App, name: string, providers: readonly ProviderName[]): Batch {
  return {
    name,
    destination: null,
    sources: [],
    providers,
    thresholds: thresholdsOf(app.config),
    generation: FIRST_GENERATION,
    refreshSinceMs: 0,
    window: null,
    halt: null,
  };
}

/** The outcome of a job that does not fit the schema: as much of it as can be trusted, and nothing of what cannot. */
function refuseJob(jobId: string, data: unknown) {
  const fields = typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
  const nameOf = (field: string) => nameSchema.safeParse(fields[field]).data ?? null;
  const batch = nameOf("batch") ?? "invalid";
  const facts = {
    request: requestId(batch, `job:${jobId}`, 0, null),
    imageKey: null,
    page: 0,
    name: { source: "" },
    batch,
    ref: null,
    calls: 0,
    attempts: 1,
    finishedAt: new Date(),
  };
  const failure = { code: "payload-invalid", message: "the job's data were refused" } as const;
  return { record: recordFailure(facts, failure, null), destination: nameOf("destination") };
}
