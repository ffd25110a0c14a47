import type { App } from "../app.js";
import type { ProviderName } from "../domain/answer.js";
import type { BatchCounts } from "../domain/batch.js";

/** With no call left, so long nothing may change; then what could be done without one is done. */
const SPENT_QUIET_MS = 2000;
/** The same while jobs are awake, which may all be other batches'. */
const SPENT_QUIET_AMONG_OTHERS_MS = 10_000;
/** A call whose process died is found within this time after its deadline. */
const DEAD_CALL_MS = 15_000;

/** Tells when the limits hold up all that is left: none of the calls under way can give anything back any more. */
export function watchBudget(
  app: App,
  destination: string | null,
  providers: readonly ProviderName[],
): (counts: BatchCounts) => Promise<boolean> {
  const longestCallMs = Math.max(...providers.map((name) => app.config[name].timeoutMs)) + DEAD_CALL_MS;
  let last = "";
  let quietSinceMs = 0;
  return async (counts) => {
    const now = JSON.stringify([counts.found, counts.outcomes, counts.stale, counts.money]);
    if (now !== last || !counts.money.spent) quietSinceMs = performance.now();
    last = now;
    const quietMs = performance.now() - quietSinceMs;
    if (quietMs < (counts.money.underWay === 0 ? SPENT_QUIET_MS : longestCallMs)) return false;
    if ((await app.outcomes.unread(destination)) > 0) return false;
    return quietMs >= SPENT_QUIET_AMONG_OTHERS_MS || (await app.images.unfinished()) === (await app.images.asleep());
  };
}

/** How soon every worker knows what has changed of a batch. @unit milliseconds */
export const HEARD_MS = 2000;

/** Wakes the batch's sleeping jobs when it may go on: at the start, once everybody knows of it, and when a call is left again. */
export function keepAwake(app: App, name: string): (counts: BatchCounts) => Promise<void> {
  const startedAtMs = performance.now();
  let wakes = 0;
  let wasSpent = false;
  return async ({ money }) => {
    const isDue = wakes === 0 || (wakes === 1 && performance.now() - startedAtMs > HEARD_MS);
    if (isDue || (wasSpent && !money.spent)) {
      wakes++;
      await app.images.wake(name);
    }
    wasSpent = money.spent;
  };
}
