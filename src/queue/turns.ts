import { CancelledError } from "../domain/errors.js";
import type { Slot } from "../domain/pace.js";

/** A slot, and in how many ms its time comes. */
export interface ComingSlot {
  readonly slot: Slot;
  readonly inMs: number;
}

/** What the server says to who asks for slots: here they are; ask again in so many ms; or nobody is to wait. */
export type TurnReply =
  | { readonly kind: "slots"; readonly slots: readonly ComingSlot[] }
  | { readonly kind: "later"; readonly waitMs: number }
  | { readonly kind: "refused"; readonly error: Error };

export interface Turns {
  /**
   * Waits for a slot, and comes back at its time.
   * @throws CancelledError when `signal` aborts first; the slot is then the next one's
   * @throws what the server's refusal says
   */
  take(signal: AbortSignal, isUrgent: boolean): Promise<Slot>;
}

interface Waiter {
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
}

/** Those who can wait have at least every tenth slot. */
const URGENT_IN_A_ROW = 9;
/** More are not asked for at once, so that processes get theirs in turn. */
const MOST_AT_ONCE = 16;
/** After Redis refused to answer. */
const TROUBLE_MS = 250;

/**
 * Hands a process's slots to those who wait in it: the urgent first, else first come, first served. A slot belongs to nobody
 * before its time has come: then the first who still waits has it, so that who gives up takes none away.
 * @param ask asks for so many slots, of which so many are urgent; called one at a time
 * @param giveBack takes a slot that nobody here wants any more
 */
export function createTurns(
  ask: (want: number, urgent: number) => Promise<TurnReply>,
  giveBack: (slot: Slot) => void,
): Turns {
  const urgent = new Set<Waiter>();
  const patient = new Set<Waiter>();
  const coming = new Map<Slot, NodeJS.Timeout>();
  let urgentInARow = 0;
  let isAsking = false;
  let wake = () => {};

  const waiting = () => urgent.size + patient.size;

  const next = (): Waiter | undefined => {
    const isTurnOfPatient = urgent.size === 0 || (urgentInARow >= URGENT_IN_A_ROW && patient.size > 0);
    urgentInARow = isTurnOfPatient ? 0 : urgentInARow + 1;
    const [first] = isTurnOfPatient ? patient : urgent;
    return first;
  };

  const hand = (slot: Slot) => {
    coming.delete(slot);
    const waiter = next();
    if (waiter === undefined) giveBack(slot);
    else waiter.resolve(slot);
  };

  /** More slots are coming than anybody waits for: the last ones go back while others can still use them. */
  const returnSurplus = () => {
    const latestFirst = [...coming].sort(([a], [b]) => b.atUs - a.atUs);
    for (const [slot, timer] of latestFirst.slice(0, coming.size - waiting())) {
      clearTimeout(timer);
      coming.delete(slot);
      giveBack(slot);
    }
  };

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const askOnce = async () => {
    const reply = await ask(Math.min(waiting() - coming.size, MOST_AT_ONCE), urgent.size).catch(() => null);
    if (reply === null) return sleep(TROUBLE_MS);
    switch (reply.kind) {
      case "slots":
        for (const { slot, inMs } of reply.slots) coming.set(slot, setTimeout(hand, inMs, slot));
        return returnSurplus();
      case "later":
        return sleep(reply.waitMs);
      case "refused":
        for (const waiter of [...urgent, ...patient]) waiter.reject(reply.error);
    }
  };

  const askForTurns = async () => {
    if (isAsking) return;
    isAsking = true;
    while (waiting() > coming.size) await askOnce();
    isAsking = false;
  };

  return {
    take: (signal, isUrgent) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(new CancelledError());
        const line = isUrgent ? urgent : patient;
        const leave = () => {
          line.delete(waiter);
          signal.removeEventListener("abort", cancel);
        };
        const waiter: Waiter = {
          resolve: (slot) => {
            leave();
            resolve(slot);
          },
          reject: (error) => {
            leave();
            reject(error);
          },
        };
        const cancel = () => {
          waiter.reject(new CancelledError());
          returnSurplus();
          wake();
        };
        signal.addEventListener("abort", cancel, { once: true });
        line.add(waiter);
        if (isUrgent) wake();
        void askForTurns();
      }),
  };
}
