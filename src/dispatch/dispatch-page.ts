import { type AnswerKey, answerKey, type StoredAnswer } from "../domain/answer.js";
import type { Dispatched, Dispatcher, PageToRead, StopSignals } from "../domain/dispatcher.js";
import { CancelledError, CardbatchError, ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { AnswerLedger, CallAccount, Departure, HeldPage } from "../domain/ledger.js";
import type { Pace } from "../domain/pace.js";
import type { EncodedCall, OcrProvider } from "../domain/provider.js";
import { accountOf, type CallEnd, calledEvent } from "./call-account.js";
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
      isUrgent: page.isUrgent,
    });
    switch (claim.kind) {
      case "done":
      case "kept":
        return { kind: "settled" };
      case "busy":
        throw inWork();
      case "spent":
        throw budgetSpent();
      case "answered":
        return { kind: "answered", stored: deps.openAnswer(claim.sealed, key), owner: claim.owner };
      case "claimed":
        return { kind: "answered", stored: await readClaimed(claim.held, page, stop), owner: claim.owner };
    }
  };

  const readClaimed = async (held: HeldPage, page: PageToRead, stop: StopSignals): Promise<StoredAnswer> => {
    let encoded: EncodedCall;
    try {
      refuseWhenStopped(stop.soft);
      await provider.authorize(stop.soft);
      encoded = provider.encode(await page.prepare());
      deps.emit({ type: "step", step: "prepared", request: page.request });
    } catch (error) {
      await ledger.release(held, null);
      throw noteStop(error);
    }
    return gate.pass(() => callInTurn(held, encoded, page, stop));
  };

  const callInTurn = async (held: HeldPage, encoded: EncodedCall, page: PageToRead, stop: StopSignals) => {
    try {
      await waitForTurn(held, page, stop.soft);
    } catch (error) {
      await ledger.release(held, null);
      throw error;
    }
    const epoch = credentials.epoch();
    const startedAt = performance.now();
    const end: CallEnd = await provider.call(encoded, stop.hard).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error }),
    );
    const account = accountOf(page.batch.name, provider, end);
    if (!account.notSent) {
      page.onCall();
      deps.emit(calledEvent(account, performance.now() - startedAt, end));
    }
    if ("error" in end) return settleError(held, page, end.error, account, epoch, stop.soft);
    credentials.worked(epoch);
    const { answer } = end;
    return store(held, page, { kind: "answer", answer, request: page.request, calls: page.calls() }, account);
  };

  /** Comes back at the moment to send, marked as sent and counted. */
  const waitForTurn = async (held: HeldPage, page: PageToRead, signal: AbortSignal): Promise<void> => {
    const call = { batch: page.batch, provider: provider.name, pace: lane.pace?.key ?? "" };
    const startedAt = performance.now();
    let departure: Departure;
    do {
      refuseWhenStopped(signal);
      await lane.pace?.take(signal);
      // Once more: much may have happened while this call waited.
      refuseWhenStopped(signal);
      departure = await ledger.markSent(held, call, lane.timeoutMs + DEADLINE_MARGIN_MS);
    } while (departure.kind === "hold");
    switch (departure.kind) {
      case "spent":
        throw budgetSpent();
      case "closed":
        throw new CardbatchError("outside-window", "the batch's window closed before the call's turn came");
      case "lost":
        throw inWork();
    }
    deps.emit({ type: "turn-taken", provider: provider.name, waitedMs: performance.now() - startedAt });
  };

  /** A refusal of this very image is its answer, to be kept; anything else lets go of the page and is passed on. */
  const settleError = async (
    held: HeldPage,
    page: PageToRead,
    error: unknown,
    account: CallAccount,
    epoch: number,
    signal: AbortSignal,
  ): Promise<StoredAnswer> => {
    if (error instanceof ProviderError && error.disposition === "fail") {
      return store(held, page, refusal(error, page), account);
    }
    await ledger.release(held, account);
    if (!(error instanceof ProviderError)) throw error;
    const { code, retryAfterMs, disposition } = error;
    if (code === "provider-throttled" || retryAfterMs !== null) await hold(retryAfterMs ?? DEFAULT_HOLD_MS);
    if (disposition === "refresh") {
      await credentials.refused(epoch, error, signal).catch((cause) => Promise.reject(noteStop(cause)));
    }
    throw noteStop(error);
  };

  const store = async (held: HeldPage, page: PageToRead, stored: StoredAnswer, account: CallAccount) => {
    await ledger.store(held, deps.sealAnswer(stored, held.key), account, page.batch.refreshSinceMs);
    deps.emit({ type: "step", step: "stored", request: page.request });
    return stored;
  };

  const hold = async (forMs: number) => {
    await lane.pace?.hold(forMs);
    deps.emit({ type: "held", provider: provider.name, forMs });
  };

  const refuseWhenStopped = (signal: AbortSignal) => {
    if (stopped !== null) throw stopped;
    if (signal.aborted) throw new CancelledError();
  };

  const noteStop = (error: unknown): unknown => {
    if (error instanceof ProviderError && error.disposition === "stop-provider" && stopped === null) {
      stopped = error;
      deps.emit({ type: "provider-stopped", provider: provider.name, error });
    }
    return error;
  };

  return {
    provider,
    dispatch,
    stoppedBy: () => stopped,
    resume: () => {
      stopped = null;
      gate.close();
    },
  };
}

function inWork(): CardbatchError {
  return new CardbatchError("image-in-work", "the page is being read for another request");
}

function budgetSpent(): CardbatchError {
  return new CardbatchError("budget-spent", "the batch has no call left in its --max-calls or --budget");
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
