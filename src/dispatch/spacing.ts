import { setTimeout as pause } from "node:timers/promises";
import type { Slot } from "../domain/pace.js";

interface SpacingDeps {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Shorter waits are over before a timer would notice. */
const SHORTEST_WAIT_MS = 1;

/**
 * Keeps this process's calls as far apart as their slots are (GCRA once more): a process that was busy for a moment hears of
 * several departures at once, and would send them at once.
 * @returns waits until a call may go out that has `waitMs` to wait anyway
 */
export function createSpacing({ now, sleep }: SpacingDeps = { now: () => performance.now(), sleep: pause }) {
  let arrivalMs = Number.NEGATIVE_INFINITY;
  return async (slot: Slot | null, waitMs: number): Promise<void> => {
    const [intervalMs, toleranceMs] = slot === null ? [0, 0] : [slot.intervalUs / 1000, slot.toleranceUs / 1000];
    const earliestMs = now() + waitMs;
    const turnMs = Math.max(earliestMs, arrivalMs - toleranceMs);
    arrivalMs = Math.max(turnMs, arrivalMs) + intervalMs;
    const leftMs = turnMs - now();
    if (leftMs >= SHORTEST_WAIT_MS) await sleep(leftMs);
  };
}
