import { type AnswerKey, answerKey, type StoredAnswer } from "../domain/answer.js";
import type { Dispatched, Dispatcher, PageToRead, StopSignals } from "../domain/dispatcher.js";
import { ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { AnswerLedger, CallAccount, HeldPage } from "../domain/ledger.js";
import type { EncodedCall } from "../domain/provider.js";
import { accountOf, calledEvent } from "./call-account.js";
import { type CallGolden, createGoldenCall } from "./call-golden.js";
import { createCredentialRenewal } from "./credentials.js";
import { createFirstCallGate } from "./first-call-gate.js";
import type { ProviderLane } from "./lane.js";
import { createPlaces } from "./places.js";
import { budgetSpent, inWork } from "./refusals.js";
import { createReport, reportOf } from "./report-call.js";
import { createSend, type SentCall } from "./send-call.js";
import { createStops } from "./stops.js";

export interface DispatchDeps {
  readonly ledger: AnswerLedger;
  readonly sealAnswer: (stored: StoredAnswer, key: AnswerKey) => Buffer;
  readonly openAnswer: (sealed: Buffer, key: AnswerKey) => StoredAnswer;
  readonly emit: EventSink;
}

/**
 * One process's way to one provider account. A page is claimed in the ledger, prepared, called for in its turn (`send-call`), and
 * what the call came to is stored, or the page is let go of.
 */
export function createDispatcher(lane: ProviderLane, deps: DispatchDeps): Dispatcher & { callGolden: CallGolden } {
  const { provider, pace } = lane;
  const { ledger, emit } = deps;
  const gate = createFirstCallGate();
  const credentials = createCredentialRenewal(provider);
  const places = createPlaces(lane.concurrency);
  const stops = createStops(lane, gate.close, emit);
  const report = createReport(lane, emit);
  const send = createSend(lane, { ledger, places, stops, credentials, report, emit });

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
    const encoded = await orLetGo(held, () => prepare(page, stop.soft));
    return gate.pass(async () => {
      const sent = await orLetGo(held, () => send(held, encoded, page, stop));
      return settle(held, page, sent, stop.soft);
    });
  };

  /** What is thrown before a call went out lets go of the page. */
  const orLetGo = async <T>(held: HeldPage, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      await ledger.release(held, null);
      throw stops.note(error);
    }
  };

  const prepare = async (page: PageToRead, signal: AbortSignal): Promise<EncodedCall> => {
    stops.refuse(signal);
    stops.refuseWhenHeld();
    await provider.authorize(signal);
    const encoded = provider.encode(await page.prepare());
    emit({ type: "step", step: "prepared", request: page.request });
    return encoded;
  };

  const settle = async (
    held: HeldPage,
    page: PageToRead,
    sent: SentCall,
    signal: AbortSignal,
  ): Promise<StoredAnswer> => {
    const { slot, epoch, end, durationMs } = sent;
    const account = accountOf(page.batch.name, provider, end);
    if (!account.notSent) {
      page.onCall();
      emit(calledEvent(account, durationMs, end));
    }
    if ("error" in end) return settleError(held, page, end.error, { sent, account }, signal);
    credentials.worked(epoch);
    const answered = { kind: "answer", answer: end.answer, request: page.request, calls: page.calls() } as const;
    const stored = await store(held, page, answered, account);
    await report(slot, { kind: "ok" });
    return stored;
  };

  /** A refusal of this very image is its answer, to be kept; anything else lets go of the page and is passed on. */
  const settleError = async (
    held: HeldPage,
    page: PageToRead,
    error: unknown,
    { sent, account }: { readonly sent: SentCall; readonly account: CallAccount },
    signal: AbortSignal,
  ): Promise<StoredAnswer> => {
    const reported = report(sent.slot, reportOf(error));
    if (error instanceof ProviderError && error.disposition === "fail") {
      return store(held, page, refusal(error, page), account);
    }
    await ledger.release(held, account);
    const streak = await reported;
    if (streak !== null) page.onFault(`${provider.name}:${streak}`);
    if (error instanceof ProviderError && error.disposition === "refresh") {
      await credentials.refused(sent.epoch, error, signal).catch((cause) => Promise.reject(stops.note(cause)));
    }
    throw stops.note(error);
  };

  const store = async (held: HeldPage, page: PageToRead, stored: StoredAnswer, account: CallAccount) => {
    await ledger.store(held, deps.sealAnswer(stored, held.key), account, page.batch.refreshSinceMs);
    emit({ type: "step", step: "stored", request: page.request });
    return stored;
  };

  return {
    provider,
    dispatch,
    callGolden: createGoldenCall(lane, { places, stops, report, emit }),
    stoppedBy: stops.by,
    isOutage: (streak) => pace !== null && streak === `${provider.name}:${pace.state().outage}`,
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
