import type { PageToRead, StopSignals } from "../domain/dispatcher.js";
import { CardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { AnswerLedger, CallToSend, Departure, HeldPage } from "../domain/ledger.js";
import type { Slot } from "../domain/pace.js";
import type { EncodedCall } from "../domain/provider.js";
import { type CallEnd, endOf } from "./call-account.js";
import type { CredentialRenewal } from "./credentials.js";
import type { ProviderLane } from "./lane.js";
import type { Places } from "./places.js";
import { budgetSpent, inWork } from "./refusals.js";
import type { ReportCall } from "./report-call.js";
import { createSpacing } from "./spacing.js";
import type { Stops } from "./stops.js";

/** A call of a dead process is given this much longer than its timeout before somebody else may call. */
const DEADLINE_MARGIN_MS = 2000;

export interface SendDeps {
  readonly ledger: Pick<AnswerLedger, "markSent">;
  readonly places: Places;
  readonly stops: Stops;
  readonly credentials: Pick<CredentialRenewal, "epoch">;
  readonly report: ReportCall;
  readonly emit: EventSink;
}

/** A call that has ended, and what it was made with. */
export interface SentCall {
  readonly slot: Slot | null;
  /** Of the credentials. */
  readonly epoch: number;
  readonly end: CallEnd;
  readonly durationMs: number;
}

/**
 * Sends a page's call, once: it waits for a slot of the pace, then for a place among the calls under way, is marked as sent and
 * counted, and goes out. While all places are taken, the calls that come next already wait for their slots.
 * @throws what kept it from going out; what a call came to is in its `end`, an error too
 */
export type SendCall = (held: HeldPage, encoded: EncodedCall, page: PageToRead, stop: StopSignals) => Promise<SentCall>;

export function createSend({ provider, pace, timeoutMs }: ProviderLane, deps: SendDeps): SendCall {
  const { ledger, places, stops, credentials, report, emit } = deps;
  const spacing = createSpacing();
  const takeSlot = async (page: PageToRead, signal: AbortSignal) => (await pace?.take(signal, page.isUrgent)) ?? null;

  const leave = (held: HeldPage, call: CallToSend, signal: AbortSignal): Promise<Departure> => {
    // Once more: much may have happened while this call waited.
    stops.refuse(signal);
    return ledger.markSent(held, call, timeoutMs + DEADLINE_MARGIN_MS);
  };

  /** Comes back at the moment to send, marked as sent and counted, with the slot that it goes out in. */
  const leaveInTurn = async (
    held: HeldPage,
    page: PageToRead,
    { slot: first, waitedMs }: Turn,
    signal: AbortSignal,
  ): Promise<Slot | null> => {
    const call = { batch: page.batch, provider: provider.name, pace: pace?.key ?? "" };
    const startedAt = performance.now();
    for (let slot = first; ; slot = await takeSlot(page, signal)) {
      const departure = await leave(held, { ...call, slot }, signal).catch(async (error) => {
        await report(slot, { kind: "void" });
        throw error;
      });
      if (departure.kind === "go") {
        await spacing(slot, departure.waitMs);
        emit({ type: "turn-taken", provider: provider.name, waitedMs: waitedMs + performance.now() - startedAt });
        return slot;
      }
      await report(slot, { kind: "void" });
      // A slot that is void is followed by another one.
      if (departure.kind !== "void") throw refusedDeparture(departure.kind);
    }
  };

  return async (held, encoded, page, stop) => {
    const startedAt = performance.now();
    stops.refuse(stop.soft);
    const slot = await takeSlot(page, stop.soft);
    const turn = { slot, waitedMs: performance.now() - startedAt };
    return places.run(page.isUrgent, async () => {
      const sentIn = await leaveInTurn(held, page, turn, stop.soft);
      const epoch = credentials.epoch();
      const sentAt = performance.now();
      const end = await endOf(provider.call(encoded, stop.hard));
      return { slot: sentIn, epoch, end, durationMs: performance.now() - sentAt };
    });
  };
}

/** A slot and how long it was waited for. Null: nothing limits the pace. */
interface Turn {
  readonly slot: Slot | null;
  readonly waitedMs: number;
}

function refusedDeparture(kind: "spent" | "closed" | "halted" | "lost"): CardbatchError {
  switch (kind) {
    case "spent":
      return budgetSpent();
    case "closed":
      return new CardbatchError("outside-window", "the batch's window closed before the call's turn came");
    case "halted":
      return new CardbatchError("batch-halted", "the batch was halted before the call's turn came");
    case "lost":
      return inWork();
  }
}
