import type { Answer, ProviderName, StoredAnswer } from "../domain/answer.js";
import type { Batch, Failure } from "../domain/batch.js";
import type { Dispatched, Dispatcher, StopSignals } from "../domain/dispatcher.js";
import { CardbatchError, ProviderError, toCardbatchError } from "../domain/errors.js";
import type { ImageBounds, ImageKey, PreparedImage } from "../domain/image.js";
import type { RequestId } from "../domain/payload.js";
import type { JudgedReading, Judgement, Reading, ReadingCard, Thresholds } from "../domain/reading.js";
import { type AttemptState, nextStep, noteFault } from "../domain/retry-policy.js";
import type { RecordProvider } from "./make-record.js";

export interface AskDeps {
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
  readonly now: () => Date;
  readonly random: () => number;
}

/** What is asked. `calls` and `provider` are told to the request as they come about, so that a failure tells them too. */
export interface Question {
  readonly batch: Batch;
  readonly request: RequestId;
  readonly bytes: Buffer;
  readonly key: ImageKey;
  readonly page: number;
  readonly isUrgent: boolean;
  readonly state: AttemptState;
  readonly stop: StopSignals;
  readonly told: { calls: number; provider: RecordProvider; streak: string | null };
}

export type Opinion =
  /** The request has its outcome already, and it stands. */
  | { readonly kind: "settled" }
  | {
      readonly kind: "judged";
      readonly judgement: Judgement;
      readonly cards: readonly ReadingCard[];
      /** The request that the image belongs to. */
      readonly owner: RequestId;
    }
  | { readonly kind: "refused"; readonly failure: Failure };

/** What the providers have said so far. */
interface Heard {
  readonly readings: JudgedReading[];
  judgement: Judgement | null;
  owner: RequestId;
  refusal: Failure | null;
  stopped: CardbatchError | null;
}

/**
 * Asks the batch's providers in turn until one reading needs no second opinion. One provider's stop leaves the page to the
 * others, and a second opinion that cannot be had any more leaves the first as it is.
 * @throws CardbatchError for what leaves the page without an opinion at present
 */
export async function askProviders(deps: AskDeps, question: Question): Promise<Opinion> {
  const { batch, request } = question;
  const heard: Heard = { readings: [], judgement: null, owner: request, refusal: null, stopped: null };
  for (const name of batch.providers) {
    const dispatcher = deps.dispatcher(name);
    if (dispatcher === null) throw new CardbatchError("provider-unconfigured", `no settings for ${name} here`);
    const dispatched = await askOne(deps, dispatcher, question, heard);
    if (dispatched?.kind === "settled") return dispatched;
    if (dispatched === null) continue;
    heard.owner = dispatched.owner;
    take(deps, dispatcher, dispatched.stored, question, heard);
    if (heard.judgement !== null && heard.judgement.verdict !== "review") break;
  }
  const { judgement, owner, refusal, stopped } = heard;
  if (judgement !== null) return { kind: "judged", judgement, cards: cardsToShow(heard.readings, judgement), owner };
  if (refusal !== null) return { kind: "refused", failure: refusal };
  throw stopped ?? new CardbatchError("provider-unconfigured", "the batch names no provider");
}

/** Null: this provider has nothing to say, and that is no reason to wait. */
async function askOne(
  deps: AskDeps,
  dispatcher: Dispatcher,
  question: Question,
  heard: Heard,
): Promise<Dispatched | null> {
  const { batch, request, bytes, key, page, isUrgent, state, stop, told } = question;
  const { name, bounds } = dispatcher.provider;
  const pageToRead = {
    request,
    batch,
    imageKey: key,
    page,
    isUrgent,
    outcomeMayStand: heard.readings.length === 0 && heard.refusal === null,
    calls: () => told.calls,
    onCall: () => {
      told.calls++;
    },
    onFault: (streak: string) => {
      told.streak = streak;
    },
    prepare: () => deps.prepareImage(bytes, page, bounds, request, stop.soft),
  };
  try {
    return await dispatcher.dispatch(pageToRead, stop);
  } catch (thrown) {
    const error = toCardbatchError(thrown);
    if (error instanceof ProviderError) told.provider ??= { name, requestId: error.requestId, latencyMs: null };
    const isOutage = told.streak !== null && dispatcher.isOutage(told.streak);
    const isFinal = nextStep(error, noteFault(state, error), deps.random, isOutage).kind === "fail";
    if (heard.readings.length > 0 && isFinal) return null;
    if (error.disposition !== "stop-provider") throw error;
    heard.stopped ??= error;
    return null;
  }
}

/** Adds an answer to what was heard; the first reading, or else the first refusal, names its provider. */
function take(deps: AskDeps, { provider }: Dispatcher, stored: StoredAnswer, question: Question, heard: Heard): void {
  const { told, batch, request } = question;
  const { name, cardsPerImage } = provider;
  if (stored.request === request) told.calls = Math.max(told.calls, stored.calls);
  if (stored.kind === "refusal") {
    if (heard.readings.length === 0 && heard.refusal === null) {
      told.provider = { name, requestId: stored.requestId, latencyMs: null };
    }
    heard.refusal ??= { code: stored.code, message: stored.message };
    return;
  }
  const { answer } = stored;
  if (heard.readings.length === 0) {
    told.provider = { name, requestId: answer.requestId, latencyMs: Math.round(answer.latencyMs) };
  }
  heard.readings.push({ reading: deps.normalize(answer, deps.now()), cardsPerImage });
  heard.judgement = deps.judge(heard.readings, batch.thresholds);
}

/** Providers that disagree both show what they read; otherwise the first speaks for all. */
function cardsToShow(readings: readonly JudgedReading[], { reasons }: Judgement): readonly ReadingCard[] {
  const shown = reasons.includes("providers-disagree") ? readings : readings.slice(0, 1);
  return shown.flatMap(({ reading }) => reading.cards);
}
