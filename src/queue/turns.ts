import { CancelledError } from "../domain/errors.js";

/** What the server says to who asks for a turn: it is his in so many ms, or he may ask again in so many. */
export interface TurnReply {
  readonly taken: boolean;
  readonly waitMs: number;
}

export interface Turns {
  /** Waits for a turn. @throws CancelledError when `signal` aborts first; the turn is then the next one's */
  take(signal: AbortSignal): Promise<void>;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Hands a process's turns to those who wait in it, first come, first served. A turn belongs to nobody before its time has
 * come: then the first who still waits has it, so that who gives up takes none away.
 * @param ask asks for one more turn; called one at a time
 */
export function createTurns(ask: () => Promise<TurnReply>): Turns {
  const waiting = new Set<Waiter>();
  /** Turns that are ours and whose time has not come. */
  let coming = 0;
  let isAsking = false;
  let wake = () => {};

  const giveTurn = () => {
    coming--;
    const [first] = waiting;
    first?.resolve();
  };
  const askForTurns = async () => {
    if (isAsking) return;
    isAsking = true;
    while (waiting.size > coming) {
      try {
        const { taken, waitMs } = await ask();
        if (taken) {
          coming++;
          setTimeout(giveTurn, waitMs);
        } else {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, waitMs);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
      } catch (error) {
        const [first] = waiting;
        first?.reject(error as Error);
      }
    }
    isAsking = false;
  };

  return {
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(new CancelledError());
        const leave = () => {
          waiting.delete(waiter);
          signal.removeEventListener("abort", cancel);
        };
        const waiter: Waiter = {
          resolve: () => {
            leave();
            resolve();
          },
          reject: (error) => {
            leave();
            reject(error);
          },
        };
        const cancel = () => {
          waiter.reject(new CancelledError());
          wake();
        };
        signal.addEventListener("abort", cancel, { once: true });
        waiting.add(waiter);
        void askForTurns();
      }),
  };
}
