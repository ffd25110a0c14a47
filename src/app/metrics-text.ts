import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import { createFleet } from "../queue/fleet.js";
import { createScheduleStore } from "./schedule-store.js";
import { scheduleFigures } from "./scheduling.js";

/** A scrape waits no longer for what only Redis knows. */
const PATIENCE_MS = 2000;

/**
 * What `/metrics` answers: what this process has counted, and the fleet's gauges where this process is the one that tells them.
 * While Redis is away there are none.
 */
export function createMetricsText(app: App): () => Promise<string> {
  const fleet = createFleet(app.redis, app.keys, app.batches, app.presence.id);
  let looking: Promise<unknown> | null = null;
  const store = createScheduleStore(app);
  const tell = async () => {
    const state = app.redisHealth.isAway() ? null : await fleet.tell();
    return state === null ? null : { ...state, schedules: await scheduleFigures(store, Date.now()) };
  };
  const look = async () => app.metrics.setFleet(await tell().catch(() => null));
  return async () => {
    looking ??= look().finally(() => {
      looking = null;
    });
    const waiting = new AbortController();
    const isIn = await Promise.race([
      looking.then(() => true),
      sleep(PATIENCE_MS, false, { signal: waiting.signal }).catch(() => false),
    ]);
    waiting.abort();
    if (!isIn) app.metrics.setFleet(null);
    return app.metrics.text();
  };
}
