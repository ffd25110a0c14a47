import type { Answer, ProviderName } from "../domain/answer.js";
import type { Batch } from "../domain/batch.js";
import type { CardVault } from "../domain/card-vault.js";
import type { Dispatcher, StopSignals } from "../domain/dispatcher.js";
import { CardbatchError, ImageError, toCardbatchError } from "../domain/errors.js";
import type { ImageBounds, ImageKey, PreparedImage } from "../domain/image.js";
import type { ImageJob, RequestId } from "../domain/payload.js";
import type { JudgedReading, Judgement, Reading, Thresholds } from "../domain/reading.js";
import type { OutcomeRecord } from "../domain/record.js";
import { type AttemptState, faultKey, nextStep } from "../domain/retry-policy.js";
import { type RecordProvider, type RequestFacts, recordFailure, recordVerdict } from "./make-record.js";
import {
  locate,
  nameSource,
  nameWithinSource,
  openReference,
  type ReadableRoots,
  requestOf,
  type SourceName,
} from "./resolve-reference.js";

export interface RecognizeDeps {
  readonly readableRoots: () => Promise<ReadableRoots>;
  readonly openImage: (path: string, root: string, signal: AbortSignal) => Promise<Buffer>;
  readonly digestImage: (bytes: Buffer) => ImageKey;
  readonly countPages: (bytes: Buffer) => number;
  readonly prepareImage: (
    bytes: Buffer,
    page: number,
    bounds: ImageBounds,
    request: RequestId,
    signal: AbortSignal,
  ) => Promise<PreparedImage>;
  /** Null: there are no settings for this provider here. */
  readonly dispatcher: (provider: ProviderName) => Dispatcher | null;
  readonly normalize: (answer: Answer, now: Date) => Reading;
  readonly judge: (readings: readonly JudgedReading[], thresholds: Thresholds) => Judgement;
  readonly vault: CardVault;
  readonly now: () => Date;
  readonly random: () => number;
}

export type Recognized =
  | { readonly kind: "outcome"; readonly record: OutcomeRecord }
  /** The request has its outcome already, and it stands. */
  | { readonly kind: "settled" }
  /** The job did not say which page, and the image has several: each becomes a job, and a request, of its own. */
  | { readonly kind: "pages"; readonly pages: readonly PageJob[] }
  /** Not now; `state` goes with the job. */
  | { readonly kind: "again"; readonly error: CardbatchError; readonly delayMs: number; readonly state: AttemptState };

export interface PageJob {
  readonly request: RequestId;
  readonly imageKey: ImageKey;
  readonly page: number;
  readonly job: ImageJob;
}

export interface Recognizer {
  /** Reads one page for one request, start to end. Never throws: whatever happens is an outcome, or a reason to come back. */
  recognize(job: ImageJob, batch: Batch, state: AttemptState, stop: StopSignals): Promise<Recognized>;
}

/** What is known of a request while it is worked on; grows as the way goes on, and a failure tells all of it. */
interface Progress {
  request: RequestId;
  imageKey: ImageKey | null;
  name: SourceName;
  calls: number;
  provider: RecordProvider;
}

export function createRecognizer(deps: RecognizeDeps): Recognizer {
  return {
    recognize: async (job, batch, state, stop) => {
      const progress = start(job, state);
      try {
        return await readRequest(deps, job, batch, progress, state, stop);
      } catch (thrown) {
        return conclude(deps, toCardbatchError(thrown), job, batch, progress, state);
      }
    },
  };
}

function start(job: ImageJob, state: AttemptState): Progress {
  const { image } = job;
  const request = requestOf(
    job.batch,
    "sealed" in image ? { path: image.sealed } : image,
    image.page ?? 0,
    job.ref ?? null,
  );
  return { request, imageKey: null, name: { source: "" }, calls: state.calls, provider: null };
}

async function readRequest(
  deps: RecognizeDeps,
  job: ImageJob,
  batch: Batch,
  progress: Progress,
  state: AttemptState,
  stop: StopSignals,
): Promise<Recognized> {
  const reference = await openReference(job.image, batch.name, deps.vault);
  const page = job.image.page ?? 0;
  progress.request = requestOf(batch.name, reference, page, job.ref ?? null);
  progress.name = await nameSource(nameWithinSource(reference, batch.sources), progress.request, deps.vault);

  const { path, root } = locate(reference, await deps.readableRoots());
  const bytes = await deps.openImage(path, root, stop.soft);
  progress.imageKey = deps.digestImage(bytes);
  if (job.image.key !== undefined && job.image.key !== progress.imageKey) {
    throw new ImageError("image-changed", "the file's bytes are not those that were listed");
  }
  if (job.image.page === undefined) {
    const count = deps.countPages(bytes);
    if (count > 1)
      return {
        kind: "pages",
        pages: pagesOf(job, count, progress.imageKey, (at) => requestOf(batch.name, reference, at, job.ref ?? null)),
      };
  }
  return askProviders(deps, job, batch, { bytes, key: progress.imageKey, page }, progress, state, stop);
}

function pagesOf(job: ImageJob, count: number, imageKey: ImageKey, request: (page: number) => RequestId): PageJob[] {
  return Array.from({ length: count }, (_, page) => ({
    request: request(page),
    imageKey,
    page,
    job: { ...job, image: { ...job.image, key: imageKey, page } },
  }));
}

interface OpenPage {
  readonly bytes: Buffer;
  readonly key: ImageKey;
  readonly page: number;
}

/** Asks the batch's providers in turn until one reading needs no second opinion. */
async function askProviders(
  deps: RecognizeDeps,
  job: ImageJob,
  batch: Batch,
  open: OpenPage,
  progress: Progress,
  state: AttemptState,
  stop: StopSignals,
): Promise<Recognized> {
  const readings: JudgedReading[] = [];
  let judgement: Judgement | null = null;
  let owner = progress.request;
  let refusal: { code: CardbatchError["code"]; message: string } | null = null;
  let stopped: CardbatchError | null = null;

  if (batch.providers.length === 0) throw new CardbatchError("provider-unconfigured", "the batch names no provider");
  for (const name of batch.providers) {
    const dispatcher = deps.dispatcher(name);
    if (dispatcher === null) throw new CardbatchError("provider-unconfigured", `no settings for ${name} here`);
    const outcomeMayStand = readings.length === 0 && refusal === null;
    const dispatched = await askOne(deps, dispatcher, batch, open, progress, outcomeMayStand, stop).catch(
      (thrown: unknown) => {
        const error = toCardbatchError(thrown);
        // A second opinion that cannot be had any more leaves the first as it is.
        if (readings.length > 0 && nextStep(error, state, deps.random).kind === "fail") return null;
        if (error.disposition !== "stop-provider") throw error;
        stopped ??= error;
        return null;
      },
    );
    if (dispatched === null) continue;
    if (dispatched.kind === "settled") return { kind: "settled" };
    const { stored } = dispatched;
    owner = dispatched.owner;
    if (stored.request === progress.request) progress.calls = Math.max(progress.calls, stored.calls);
    if (stored.kind === "refusal") {
      progress.provider ??= { name, requestId: stored.requestId, latencyMs: null };
      refusal ??= { code: stored.code, message: stored.message };
      continue;
    }
    if (readings.length === 0) {
      progress.provider = { name, requestId: stored.answer.requestId, latencyMs: Math.round(stored.answer.latencyMs) };
    }
    readings.push({
      reading: deps.normalize(stored.answer, deps.now()),
      cardsPerImage: dispatcher.provider.cardsPerImage,
    });
    judgement = deps.judge(readings, batch.thresholds);
    if (judgement.verdict !== "review") break;
  }

  const facts = factsOf(deps, job, batch, progress, state);
  // One provider's stop leaves the page to the others; with nobody left it waits.
  if (stopped !== null && judgement === null && refusal === null) throw stopped;
  if (judgement === null) {
    const failure = refusal ?? { code: "internal" as const, message: "no provider has answered" };
    return { kind: "outcome", record: recordFailure(facts, failure, progress.provider) };
  }
  const duplicateOf = owner === progress.request ? null : owner;
  const cards = cardsToShow(readings, judgement);
  return {
    kind: "outcome",
    record: await recordVerdict(facts, judgement, cards, progress.provider, duplicateOf, deps.vault),
  };
}

function askOne(
  deps: RecognizeDeps,
  dispatcher: Dispatcher,
  batch: Batch,
  { bytes, key, page }: OpenPage,
  progress: Progress,
  outcomeMayStand: boolean,
  stop: StopSignals,
) {
  const { bounds } = dispatcher.provider;
  return dispatcher.dispatch(
    {
      request: progress.request,
      batch,
      imageKey: key,
      page,
      outcomeMayStand,
      calls: () => progress.calls,
      onCall: () => {
        progress.calls++;
      },
      prepare: () => deps.prepareImage(bytes, page, bounds, progress.request, stop.soft),
    },
    stop,
  );
}

/** Providers that disagree both show what they read; otherwise the first speaks for all. */
function cardsToShow(readings: readonly JudgedReading[], { reasons }: Judgement) {
  const [first, ...others] = readings;
  if (first === undefined) return [];
  if (!reasons.includes("providers-disagree")) return first.reading.cards;
  return [first, ...others].flatMap(({ reading }) => reading.cards);
}

/** Failed for good, or to be tried again: the one decision about an error, made in `domain/retry-policy`. */
function conclude(
  deps: RecognizeDeps,
  error: CardbatchError,
  job: ImageJob,
  batch: Batch,
  progress: Progress,
  state: AttemptState,
): Recognized {
  const key = faultKey(error);
  const met = error.disposition === "retry" ? { ...state.met, [key]: (state.met[key] ?? 0) + 1 } : state.met;
  const now: AttemptState = { attempts: state.attempts, calls: progress.calls, met };
  const step = nextStep(error, now, deps.random);
  if (step.kind === "again") {
    const attempts = state.attempts + (step.costsAttempt ? 1 : 0);
    return { kind: "again", error, delayMs: step.delayMs, state: { ...now, attempts } };
  }
  const tries = state.attempts > 1 ? ` (after ${state.attempts} attempts)` : "";
  const failure = { code: error.code, message: `${error.message}${tries}` };
  return {
    kind: "outcome",
    record: recordFailure(factsOf(deps, job, batch, progress, state), failure, progress.provider),
  };
}

function factsOf(
  deps: RecognizeDeps,
  job: ImageJob,
  batch: Batch,
  progress: Progress,
  state: AttemptState,
): RequestFacts {
  return {
    request: progress.request,
    imageKey: progress.imageKey,
    page: job.image.page ?? 0,
    name: progress.name,
    batch: batch.name,
    ref: job.ref ?? null,
    calls: progress.calls,
    attempts: state.attempts,
    finishedAt: deps.now(),
  };
}
