import { setTimeout as sleep } from "node:timers/promises";

/** Something that goes on in the background until it is closed. */
export interface Going {
  /** Ends it, with what it has begun. */
  close(): Promise<void>;
}

/** Does it again and again; what it throws is told, and does not end it. @param act its signal is aborted by `close` */
export function keepGoing(
  everyMs: number,
  act: (signal: AbortSignal) => Promise<void>,
  onFault: (error: unknown) => void,
): Going {
  const closing = new AbortController();
  const { signal } = closing;
  const run = async () => {
    while (!signal.aborted) {
      try {
        await act(signal);
      } catch (error) {
        if (!signal.aborted) onFault(error);
      }
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  };
  const running = run();
  return {
    close: async () => {
      closing.abort();
      await running;
    },
  };
}
