import type { Redis } from "./redis.js";
import { describeTrouble } from "./redis-trouble.js";

/** While it lasts, trouble is told of this often. */
const AGAIN_MS = 30_000;
/** A server that is back and whose clients are not all back yet: each needs up to a second, and a busy one longer. */
const SETTLING_MS = 5000;

export interface HealthReport {
  /** What is wrong, for people; it has been for so long. */
  readonly onTrouble: (what: string, forMs: number) => void;
  /** Redis is usable again. */
  readonly onBack: (afterMs: number) => void;
}

/** Whether Redis can be used, as its connection learns it. */
export interface RedisHealth {
  /** To be told of each error of the connection, and of each refusal. */
  note(error: Error): void;
  /** Nothing can be read or stored at present. */
  isAway(): boolean;
  /** Redis has just come back: other processes may not have found it again yet. */
  isSettling(): boolean;
  close(): void;
}

/** @param probe names a key of no meaning, to be written to see whether that works again */
export function watchHealth(redis: Pick<Redis, "set">, probe: string, report: HealthReport): RedisHealth {
  let trouble: { readonly sinceMs: number; what: string } | null = null;
  let backAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | null = null;

  const tell = () => {
    if (trouble !== null) report.onTrouble(trouble.what, performance.now() - trouble.sinceMs);
  };
  const stopTelling = () => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  return {
    note: (error) => {
      const what = describeTrouble(error);
      if (trouble !== null) {
        trouble.what = what;
        return;
      }
      const sinceMs = performance.now();
      trouble = { sinceMs, what };
      tell();
      timer = setInterval(tell, AGAIN_MS);
      timer.unref();
      // The connection keeps this with all the rest, and does it when it can.
      redis.set(probe, "1", "PX", SETTLING_MS).then(
        () => {
          stopTelling();
          trouble = null;
          backAtMs = performance.now();
          report.onBack(backAtMs - sinceMs);
        },
        () => {},
      );
    },
    isAway: () => trouble !== null,
    isSettling: () => trouble !== null || performance.now() - backAtMs < SETTLING_MS,
    close: stopTelling,
  };
}
