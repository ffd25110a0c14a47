/** Between two looks at what other processes have recorded. @unit milliseconds */
const LOOK_MS = 100;

/** Those who wait for outcomes, however many, cost one look at Redis. */
export interface Waiters {
  /** @returns whether all of them have their outcome; false once the time is up or the signal fires */
  wait(requests: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** These have their outcome now. */
  notify(requests: readonly string[]): void;
  close(): void;
}

interface Waiter {
  readonly left: Set<string>;
  readonly end: (complete: boolean) => void;
}

export function createWaiters(haveOutcomes: (requests: readonly string[]) => Promise<boolean[]>): Waiters {
  const waiters = new Set<Waiter>();
  let timer: NodeJS.Timeout | null = null;
  let isLooking = false;

  const notify = (requests: readonly string[]) => {
    for (const waiter of waiters) {
      for (const request of requests) waiter.left.delete(request);
      if (waiter.left.size === 0) waiter.end(true);
    }
  };
  const look = async () => {
    const wanted = [...new Set([...waiters].flatMap(({ left }) => [...left]))];
    // What cannot be asked now is asked the next time; each waiter has a time limit of its own.
    const there = await haveOutcomes(wanted).catch(() => []);
    notify(wanted.filter((_, i) => there[i] === true));
    plan();
  };
  const plan = () => {
    isLooking = waiters.size > 0;
    if (isLooking) timer = setTimeout(() => void look(), LOOK_MS);
  };

  return {
    wait: (requests, timeoutMs, signal) =>
      new Promise((resolve) => {
        const giveUp = () => waiter.end(false);
        const limit = setTimeout(giveUp, timeoutMs);
        const waiter: Waiter = {
          left: new Set(requests),
          end: (complete) => {
            waiters.delete(waiter);
            clearTimeout(limit);
            signal.removeEventListener("abort", giveUp);
            resolve(complete);
          },
        };
        if (signal.aborted) return waiter.end(false);
        signal.addEventListener("abort", giveUp, { once: true });
        waiters.add(waiter);
        if (isLooking) return;
        isLooking = true;
        void look();
      }),
    notify,
    close: () => {
      if (timer !== null) clearTimeout(timer);
      for (const waiter of waiters) waiter.end(false);
    },
  };
}
