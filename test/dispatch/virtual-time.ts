/** A time that moves only when nothing else is left to do. @unit milliseconds */
export interface VirtualTime {
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Moves on until nobody sleeps any more. @throws Error when that takes longer than `mostMs` */
  runOut(mostMs: number): Promise<void>;
}

export function createVirtualTime(): VirtualTime {
  const sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  let nowMs = 0;
  return {
    now: () => nowMs,
    sleep: (ms) =>
      new Promise((wake) => {
        const atMs = nowMs + ms;
        let at = sleepers.length;
        while (at > 0 && (sleepers[at - 1]?.atMs ?? 0) > atMs) at--;
        sleepers.splice(at, 0, { atMs, wake });
      }),
    runOut: async (mostMs) => {
      for (;;) {
        await new Promise(setImmediate);
        const next = sleepers.shift();
        if (next === undefined) return;
        if (next.atMs > mostMs) throw new Error(`still at work after ${mostMs} ms of virtual time`);
        nowMs = next.atMs;
        next.wake();
      }
    },
  };
}
