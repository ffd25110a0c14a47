import { type Answer, type AnswerKey, answerKey, type StoredAnswer } from "../domain/answer.js";
import type { Dispatched, Dispatcher, PageToRead, StopSignals } from "../domain/dispatcher.js";
import { CancelledError, CardbatchError, ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { AnswerLedger, CallAccount } from "../domain/ledger.js";
import type { Pace } from "../domain/pace.js";
import type { EncodedCall, OcrProvider } from "../domain/provider.js";
import { createCredentialRenewal } from "./credentials.js";
import { createFirstCallGate } from "./first-call-gate.js";

/** How long the whole fleet leaves a vendor alone that throttles without saying for how long. */
const DEFAULT_HOLD_MS = 1000;
/** A call of a dead process is given this much longer than its timeout before somebody else may call. */
const DEADLINE_MARGIN_MS = 2000;

export interface DispatchDeps {
  readonly ledger: AnswerLedger;
  readonly sealAnswer: (stored: StoredAnswer, key: AnswerKey) => Buffer;
  readonly openAnswer: (sealed: Buffer, key: AnswerKey) => StoredAnswer;
  readonly emit: EventSink;
}

/** A provider with what it shares with the rest of the fleet. */
export interface ProviderLane {
  readonly provider: OcrProvider;
  /** Null: nothing but its own speed limits this provider. */
  readonly pace: Pace | null;
  readonly timeoutMs: number;
}

export function createDispatcher(lane: ProviderLane, deps: DispatchDeps): Dispatcher {
  const { provider } = lane;
  const { ledger } = deps;
  const gate = createFirstCallGate();
  const credentials = createCredentialRenewal(provider);
  let stopped: ProviderError | null = null;

  const dispatch = async (page: PageToRead, stop: StopSignals): Promise<Dispatched> => {
    const key = answerKey(page.imageKey, page.page, provider.name, provider.answerOptions);
    const claim = await ledger.claim(key, {
      request: page.request,
      batch: page.batch.name,
      generation: page.batch.generation,
      refreshSinceMs: page.batch.refreshSinceMs,
      imageKey: page.imageKey,
      page: page.page,
      provider: provider.name,
      outcomeMayStand: page.outcomeMayStand,
    });
    switch (claim.kind) {
      case "done":
      case "kept":
        return { kind: "settled" };
      case "busy":
        throw new CardbatchError("image-in-work", "the page is being read for another request");
      case "answered":
        return { kind: "answered", stored: deps.openAnswer(claim.sealed, key), owner: claim.owner };
      case "claimed":
        return { kind: "answered", stored: await readClaimed(key, page, stop), owner: claim.owner };
    }
  };

  const readClaimed = async (key: AnswerKey, page: PageToRead, stop: StopSignals): Promise<StoredAnswer> => {
    let encoded: EncodedCall;
    try {
      refuseWhenStopped();
      await provider.authorize(stop.soft);
      encoded = provider.encode(await page.prepare());
    } catch (error) {
      await ledger.release(key, null);
      throw noteStop(error);
    }
    return gate.pass(() => callInTurn(key, encoded, page, stop));
  };

  const callInTurn = async (key: AnswerKey, encoded: EncodedCall, page: PageToRead, stop: StopSignals) => {
    try {
      await waitForTurn(key, page, stop.soft);
    } catch (error) {
      await ledger.release(key, null);
      throw error;
    }
    page.onCall();
    const epoch = credentials.epoch();
    const startedAt = performance.now();
    try {
      const answer = await provider.call(encoded, stop.hard);
      credentials.worked(epoch);
      emitCall(performance.now() - startedAt, answer, null);
      return await store(
        key,
        page,
        { kind: "answer", answer, request: page.request, calls: page.calls() },
        answer.billable,
      );
    } catch (error) {
      if (!(error instanceof ProviderError)) {
        await ledger.release(key, abortedAccount(page, error));
        throw error;
      }
      emitCall(performance.now() - startedAt, null, error);
      return await settleError(key, page, error, epoch, stop.soft);
    }
  };

  /** Comes back at the moment to send, marked as sent and counted. */
  const waitForTurn = async (key: AnswerKey, page: PageToRead, signal: AbortSignal): Promise<void> => {
    const account = { batch: page.batch.name, provider: provider.name, pace: lane.pace?.key ?? "" };
    const startedAt = performance.now();
    do {
      refuseWhenStopped();
      signal.throwIfAborted();
      await lane.pace?.take(signal);
    } while ((await ledger.markSent(key, account, lane.timeoutMs + DEADLINE_MARGIN_MS)) > 0);
    deps.emit({ type: "turn-taken", provider: provider.name, waitedMs: performance.now() - startedAt });
  };

  /** A refusal of this very image is its answer, to be kept; anything else lets go of the page and is passed on. */
  const settleError = async (
    key: AnswerKey,
    page: PageToRead,
    error: ProviderError,
    epoch: number,
    signal: AbortSignal,
  ) => {
    if (error.disposition === "fail") return store(key, page, refusal(error, page), error.billable);
    await ledger.release(key, accountOf(page, error));
    if (error.code === "provider-throttled") await hold(error.retryAfterMs ?? DEFAULT_HOLD_MS);
    if (error.disposition === "refresh")
      await credentials.refused(epoch, error, signal).catch((cause) => Promise.reject(noteStop(cause)));
    throw noteStop(error);
  };

  const store = async (key: AnswerKey, page: PageToRead, stored: StoredAnswer, billable: boolean) => {
    const account = { batch: page.batch.name, provider: provider.name, billable, uncertain: false, notSent: false };
    await ledger.store(key, deps.sealAnswer(stored, key), account, page.batch.refreshSinceMs);
    return stored;
  };

  const hold = async (forMs: number) => {
    await lane.pace?.hold(forMs);
    deps.emit({ type: "held", provider: provider.name, forMs });
  };

  const accountOf = (page: PageToRead, { billable, uncertain, notSent }: ProviderError): CallAccount => ({
    batch: page.batch.name,
    provider: provider.name,
    billable,
    uncertain,
    notSent,
  });

  /** A call that was aborted, or broken by a fault of ours, may have reached the vendor unless we know better. */
  const abortedAccount = (page: PageToRead, error: unknown): CallAccount => {
    const notSent = error instanceof CancelledError && !error.uncertain;
    return { batch: page.batch.name, provider: provider.name, billable: false, uncertain: !notSent, notSent };
  };

  const refuseWhenStopped = () => {
    if (stopped !== null) throw stopped;
  };

  const noteStop = (error: unknown): unknown => {
    if (error instanceof ProviderError && error.disposition === "stop-provider" && stopped === null) {
      stopped = error;
      deps.emit({ type: "provider-stopped", provider: provider.name, error });
    }
    return error;
  };

  const emitCall = (durationMs: number, answer: Answer | null, error: ProviderError | null) =>
    deps.emit({
      type: "called",
      provider: provider.name,
      result: error?.code ?? (answer?.cards.length === 0 ? "no-card" : "ok"),
      durationMs,
      billable: error?.billable ?? answer?.billable ?? false,
      uncertain: error?.uncertain ?? false,
      httpStatus: error?.httpStatus ?? null,
      vendorCode: error?.vendorCode ?? null,
      requestId: error?.requestId ?? answer?.requestId ?? null,
    });

  return {
    provider,
    dispatch,
    stoppedBy: () => stopped,
    resume: () => {
      stopped = null;
    },
  };
}

function refusal(error: ProviderError, page: PageToRead): StoredAnswer {
  return {
    kind: "refusal",
    code: error.code,
    message: error.message,
    vendorCode: error.vendorCode,
    requestId: error.requestId,
    billable: error.billable,
    latencyMs: 0,
    request: page.request,
    calls: page.calls(),
  };
}
