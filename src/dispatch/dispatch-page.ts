import { type AnswerKey, answerKey, type StoredAnswer } from "../domain/answer.js";
import type { Dispatched, Dispatcher, PageToRead, StopSignals } from "../domain/dispatcher.js";
import { CancelledError, CardbatchError, OUTAGE_CODES, ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { AnswerLedger, CallAccount, CallToSend, Departure, HeldPage } from "../domain/ledger.js";
import { type CallReport, heldTooLong, type Pace, type Slot } from "../domain/pace.js";
import type { EncodedCall, OcrProvider } from "../domain/provider.js";
import { accountOf, type CallEnd, calledEvent } from "./call-account.js";
import { type CallGolden, createGoldenCall } from "./call-golden.js";
import { createCredentialRenewal } from "./credentials.js";
import { createFirstCallGate } from "./first-call-gate.js";
import { createPlaces } from "./places.js";
import { createSpacing } from "./spacing.js";

/** A provider that somebody has to do something about is looked at again after this. */
const STOPPED_MS = 3600_000;
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
  /** Calls that this process has under way at a time; a page that is being prepared, or whose answer is stored, is none. */
  readonly concurrency: number;
}

export function createDispatcher(lane: ProviderLane, deps: DispatchDeps): Dispatcher & { callGolden: CallGolden } {
  const { provider } = lane;
  const { ledger } = deps;
  const gate = createFirstCallGate();
  const credentials = createCredentialRenewal(provider);
  const spacing = createSpacing();
  const places = createPlaces(lane.concurrency);
  let stopped: { readonly error: ProviderError; readonly untilMs: number } | null = null;

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
      refuseWhenHeld();
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
    const turn = await takeTurn(held, page, stop.soft);
    const { slot, epoch, end, durationMs } = await places.run(page.isUrgent, () =>
      send(held, encoded, page, turn, stop),
    );
    const account = accountOf(page.batch.name, provider, end);
    if (!account.notSent) {
      page.onCall();
      deps.emit(calledEvent(account, durationMs, end));
    }
    if ("error" in end) return settleError(held, page, { error: end.error, account, epoch, slot }, stop.soft);
    credentials.worked(epoch);
    const { answer } = end;
    const stored = await store(
      held,
      page,
      { kind: "answer", answer, request: page.request, calls: page.calls() },
      account,
    );
    await report(slot, { kind: "ok" });
    return stored;
  };

  /** While all places are taken, the calls that come next already wait for their slots. */
  const takeTurn = async (held: HeldPage, page: PageToRead, signal: AbortSignal): Promise<Turn> => {
    const startedAt = performance.now();
    try {
      refuseWhenStopped(signal);
      const slot = (await lane.pace?.take(signal, page.isUrgent)) ?? null;
      return { slot, waitedMs: performance.now() - startedAt };
    } catch (error) {
      await ledger.release(held, null);
      throw noteStop(error);
    }
  };

  const send = async (
    held: HeldPage,
    encoded: EncodedCall,
    page: PageToRead,
    turn: Turn,
    stop: StopSignals,
  ): Promise<SentCall> => {
    let slot: Slot | null;
    try {
      slot = await leaveInTurn(held, page, turn, stop.soft);
    } catch (error) {
      await ledger.release(held, null);
      throw noteStop(error);
    }
    const epoch = credentials.epoch();
    const startedAt = performance.now();
    const end: CallEnd = await provider.call(encoded, stop.hard).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error }),
    );
    return { slot, epoch, end, durationMs: performance.now() - startedAt };
  };

  /** Comes back at the moment to send, marked as sent and counted. */
  const leaveInTurn = async (
    held: HeldPage,
    page: PageToRead,
    turn: Turn,
    signal: AbortSignal,
  ): Promise<Slot | null> => {
    const call = { batch: page.batch, provider: provider.name, pace: lane.pace?.key ?? "" };
    const startedAt = performance.now();
    for (let { slot } = turn; ; slot = (await lane.pace?.take(signal, page.isUrgent)) ?? null) {
      const departure = await leave(held, { ...call, slot }, signal).catch(async (error) => {
        await report(slot, { kind: "void" });
        throw error;
      });
      if (departure.kind !== "go") await report(slot, { kind: "void" });
      switch (departure.kind) {
        case "go":
          await spacing(slot, departure.waitMs);
          deps.emit({
            type: "turn-taken",
            provider: provider.name,
            waitedMs: turn.waitedMs + performance.now() - startedAt,
          });
          return slot;
        case "spent":
          throw budgetSpent();
        case "closed":
          throw new CardbatchError("outside-window", "the batch's window closed before the call's turn came");
        case "halted":
          throw new CardbatchError("batch-halted", "the batch was halted before the call's turn came");
        case "lost":
          throw inWork();
      }
    }
  };

  const leave = (held: HeldPage, call: CallToSend, signal: AbortSignal): Promise<Departure> => {
    // Once more: much may have happened while this call waited.
    refuseWhenStopped(signal);
    return ledger.markSent(held, call, lane.timeoutMs + DEADLINE_MARGIN_MS);
  };

  /** A refusal of this very image is its answer, to be kept; anything else lets go of the page and is passed on. */
  const settleError = async (
    held: HeldPage,
    page: PageToRead,
    { error, account, epoch, slot }: FailedCall,
    signal: AbortSignal,
  ): Promise<StoredAnswer> => {
    const reported = report(slot, reportOf(error));
    if (error instanceof ProviderError && error.disposition === "fail") {
      return store(held, page, refusal(error, page), account);
    }
    await ledger.release(held, account);
    const streak = await reported;
    if (streak !== null) page.onFault(`${provider.name}:${streak}`);
    if (error instanceof ProviderError && error.disposition === "refresh") {
      await credentials.refused(epoch, error, signal).catch((cause) => Promise.reject(noteStop(cause)));
    }
    throw noteStop(error);
  };

  const store = async (held: HeldPage, page: PageToRead, stored: StoredAnswer, account: CallAccount) => {
    await ledger.store(held, deps.sealAnswer(stored, held.key), account, page.batch.refreshSinceMs);
    deps.emit({ type: "step", step: "stored", request: page.request });
    return stored;
  };

  /** @returns the run of failures that this one belongs to. What cannot be reported is left to the next one. */
  const report = async (slot: Slot | null, said: CallReport): Promise<string | null> => {
    if (lane.pace === null || slot === null) return null;
    const { change, streak } = await lane.pace.report(slot, said).catch(() => ({ change: null, streak: null }));
    if (change !== null) deps.emit({ type: "pace-changed", provider: provider.name, change });
    return streak;
  };

  const refuseWhenStopped = (signal: AbortSignal) => {
    if (stopped !== null && Date.now() >= stopped.untilMs) {
      stopped = null;
      gate.close();
    }
    if (stopped !== null) throw stopped.error;
    if (signal.aborted) throw new CancelledError();
  };

  const refuseWhenHeld = () => {
    const waiting = lane.pace?.state().waiting ?? null;
    const held = heldTooLong(provider.name, (waiting?.untilMs ?? 0) - Date.now());
    if (held !== null) throw held;
  };

  const noteStop = (error: unknown): unknown => {
    if (error instanceof ProviderError && error.disposition === "stop-provider" && stopped === null) {
      stopped = { error, untilMs: Date.now() + STOPPED_MS };
      deps.emit({ type: "provider-stopped", provider: provider.name, error });
    }
    return error;
  };

  const callGolden = createGoldenCall({
    provider,
    pace: lane.pace,
    places,
    refuse: (signal) => {
      refuseWhenStopped(signal);
      refuseWhenHeld();
    },
    report,
    reportOf,
    emit: deps.emit,
  });

  return {
    provider,
    dispatch,
    callGolden,
    stoppedBy: () => stopped?.error ?? null,
    isOutage: (streak) => lane.pace !== null && streak === `${provider.name}:${lane.pace.state().outage}`,
  };
}

/** A slot and how long it was waited for. Null: nothing limits the pace. */
interface Turn {
  readonly slot: Slot | null;
  readonly waitedMs: number;
}

/** A call that has ended, and what it was made with. */
interface SentCall {
  readonly slot: Slot | null;
  readonly epoch: number;
  readonly end: CallEnd;
  readonly durationMs: number;
}

/** A call that brought no answer, and what it was made with. */
interface FailedCall {
  readonly error: unknown;
  readonly account: CallAccount;
  readonly epoch: number;
  readonly slot: Slot | null;
}

/** What an error says of the provider as such. */
function reportOf(error: unknown): CallReport {
  if (!(error instanceof ProviderError)) return { kind: "void" };
  const { code, disposition, retryAfterMs } = error;
  if (code === "provider-throttled") return { kind: "throttled", retryAfterMs };
  if (OUTAGE_CODES.has(code)) return { kind: "failed", code, retryAfterMs };
  // Credentials are this process's own; what is wrong with the account is wrong for everybody.
  if (code === "provider-credentials" || disposition === "refresh") return { kind: "void" };
  return disposition === "stop-provider" ? { kind: "stopped", code } : { kind: "ok" };
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
