import type { Batch } from "../domain/batch.js";
import type { CardVault, OutcomeSeal } from "../domain/card-vault.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { type CardbatchError, ImageError, toCardbatchError } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";
import type { ImageJob, RequestId } from "../domain/payload.js";
import type { OutcomeRecord } from "../domain/record.js";
import { type AttemptState, chargeAttempt, nextStep, noteFault, refundOutage } from "../domain/retry-policy.js";
import { type AskDeps, askProviders } from "./ask-providers.js";
import { type RecordProvider, type RequestFacts, recordFailure, recordVerdict } from "./make-record.js";
import {
  locate,
  nameSource,
  nameWithinSource,
  openReference,
  type PlainReference,
  type ReadableRoots,
  requestOf,
  type SourceName,
} from "./resolve-reference.js";

export interface RecognizeDeps extends AskDeps {
  /** @param fresh as they are this very moment; else as they were a moment ago will do */
  readonly readableRoots: (fresh: boolean) => Promise<ReadableRoots>;
  readonly openImage: (path: string, root: string, signal: AbortSignal) => Promise<{ bytes: Buffer; key: ImageKey }>;
  readonly countPages: (bytes: Buffer) => number;
  readonly vault: CardVault;
  /** How what goes to a destination is encrypted. @throws CardbatchError `recipient-refused` */
  readonly sealOf: (destination: string | null) => Promise<OutcomeSeal>;
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

/** One start of a job, and what is known of its request; that grows as the way goes on, and a failure tells all of it. */
interface Attempt {
  readonly job: ImageJob;
  readonly batch: Batch;
  readonly page: number;
  readonly state: AttemptState;
  request: RequestId;
  /** Null until the bytes are seen to be those that were listed. */
  imageKey: ImageKey | null;
  name: SourceName;
  calls: number;
  provider: RecordProvider;
  /** The provider's run of failures that this attempt met. */
  streak: string | null;
}

export function createRecognizer(deps: RecognizeDeps): Recognizer {
  return {
    recognize: async (job, batch, state, stop) => {
      const attempt = start(job, batch, state, deps.vault);
      try {
        return await readRequest(deps, attempt, stop);
      } catch (thrown) {
        return conclude(deps, toCardbatchError(thrown), attempt);
      }
    },
  };
}

function start(job: ImageJob, batch: Batch, state: AttemptState, vault: CardVault): Attempt {
  const { image, ref = null } = job;
  const page = image.page ?? 0;
  // Until an encrypted reference is opened, its ciphertext stands for it.
  const request = requestOf(batch.name, "sealed" in image ? { path: image.sealed } : image, page, ref, vault);
  const known = { request, imageKey: null, name: { source: "" }, calls: state.calls, provider: null, streak: null };
  return { job, batch, page, state, ...known };
}

async function readRequest(deps: RecognizeDeps, attempt: Attempt, stop: StopSignals): Promise<Recognized> {
  const { job, batch, page, state } = attempt;
  const reference = await openReference(job.image, batch.name, deps.vault);
  const requestFor = (at: number) => requestOf(batch.name, reference, at, job.ref ?? null, deps.vault);
  const request = requestFor(page);
  attempt.request = request;
  const seal = await deps.sealOf(job.destination ?? batch.destination);
  attempt.name = await nameSource(nameWithinSource(reference, batch.sources), request, seal);

  const { path, root } = await locateNow(deps, reference);
  const { bytes, key } = await deps.openImage(path, root, stop.soft);
  if (job.image.key !== undefined && job.image.key !== key) {
    throw new ImageError("image-changed", "the file's bytes are not those that were listed");
  }
  attempt.imageKey = key;
  if (job.image.page === undefined) {
    const count = deps.countPages(bytes);
    if (count > 1) return { kind: "pages", pages: pagesOf(job, count, key, requestFor) };
  }

  const isUrgent = job.priority === "interactive";
  const opinion = await askProviders(deps, { batch, request, bytes, key, page, isUrgent, state, stop, told: attempt });
  if (opinion.kind === "settled") return opinion;
  const facts = factsOf(deps, attempt);
  if (opinion.kind === "refused") {
    return { kind: "outcome", record: recordFailure(facts, opinion.failure, attempt.provider) };
  }
  const { judgement, cards, owner } = opinion;
  const duplicateOf = owner === request ? null : owner;
  const record = await recordVerdict(facts, judgement, cards, attempt.provider, duplicateOf, seal);
  return { kind: "outcome", record };
}

/** A source may have been named after its roots were last looked up: that is no reason to refuse its files. */
async function locateNow(deps: RecognizeDeps, reference: PlainReference): Promise<{ path: string; root: string }> {
  try {
    return locate(reference, await deps.readableRoots(false));
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== "image-outside-root") throw error;
    return locate(reference, await deps.readableRoots(true));
  }
}

function pagesOf(job: ImageJob, count: number, imageKey: ImageKey, requestFor: (page: number) => RequestId): PageJob[] {
  return Array.from({ length: count }, (_, page) => ({
    request: requestFor(page),
    imageKey,
    page,
    job: { ...job, image: { ...job.image, key: imageKey, page } },
  }));
}

/** Failed for good, or to be tried again: the one decision about an error, made in `domain/retry-policy`. */
function conclude(deps: RecognizeDeps, error: CardbatchError, attempt: Attempt): Recognized {
  const { streak } = attempt;
  const isOutage = outages(deps, attempt.batch);
  const refunded = refundOutage(attempt.state, isOutage);
  const state = { ...noteFault(refunded, error), calls: attempt.calls };
  const step = nextStep(error, state, deps.random, streak !== null && isOutage(streak));
  if (step.kind === "again") {
    return { kind: "again", error, delayMs: step.delayMs, state: chargeAttempt(state, step, streak) };
  }
  const { attempts } = refunded;
  const tries = attempts > 1 ? ` (after ${attempts} attempts)` : "";
  const failure = { code: error.code, message: `${error.message}${tries}` };
  return { kind: "outcome", record: recordFailure(factsOf(deps, attempt), failure, attempt.provider) };
}

/** Whether a run of failures turned out to be an outage of one of the batch's providers. */
function outages(deps: RecognizeDeps, { providers }: Batch): (streak: string) => boolean {
  return (streak) => providers.some((name) => deps.dispatcher(name)?.isOutage(streak) === true);
}

function factsOf(deps: RecognizeDeps, attempt: Attempt): RequestFacts {
  const { request, imageKey, page, name, calls, batch, job, state } = attempt;
  const finishedAt = deps.now();
  const { attempts } = refundOutage(state, outages(deps, batch));
  return { request, imageKey, page, name, batch: batch.name, ref: job.ref ?? null, calls, attempts, finishedAt };
}
