import type { App } from "../app.js";
import type { StopSignals } from "../domain/dispatcher.js";
import type { ScheduleFigures } from "../domain/fleet.js";
import { isLate, type KnownSchedule, overdueSince, type Schedule, type ScheduledRun } from "../domain/schedule.js";
import { startTicks } from "../queue/ticks.js";
import { createScheduler, type RunReport, type Scheduler } from "../schedule/scheduler.js";
import { canRunHere, type NightPage, runNight } from "./nightly.js";
import { createScheduleStore, type ScheduleStore } from "./schedule-store.js";
import type { Working } from "./working.js";

type RunIt = (schedule: Schedule, run: ScheduledRun, signal: AbortSignal) => Promise<RunReport | null>;

/** A process's scheduler over what all of them share. */
export function openScheduler(app: App, store: ScheduleStore, run: RunIt): Scheduler {
  const { schedules, list, get, timesOf } = store;
  return createScheduler({
    list,
    get,
    begin: schedules.begin,
    refuse: schedules.refuse,
    end: schedules.end,
    // Of a batch there is one run at a time, whoever has begun it.
    acquire: (name) => app.presence.acquire(`batch:${name}`),
    release: (name) => app.presence.release(`batch:${name}`),
    timesOf,
    canRun: (schedule) => canRunHere(app, schedule),
    run,
    now: Date.now,
    emit: app.emit,
  });
}

export interface Scheduling {
  /** Stops what runs here, for another process to go on with it. */
  close(): Promise<void>;
}

export interface SchedulingOptions {
  /** Who works on what is read; null: workers elsewhere. */
  readonly working: Working | null;
  readonly page: () => NightPage;
}

/** Has this process run schedules, each due run in one of all the processes that do. */
export async function startScheduling(
  app: App,
  { working, page }: SchedulingOptions,
  stop: StopSignals,
): Promise<Scheduling> {
  const store = createScheduleStore(app);
  const scheduler = openScheduler(app, store, (schedule, run, signal) => {
    const signals = { soft: AbortSignal.any([stop.soft, signal]), hard: stop.hard };
    return runNight(app, schedule, run, { working: working ?? ELSEWHERE, page }, signals);
  });
  const ticks = await startTicks(app.redis, app.keys, {
    onTick: scheduler.look,
    isWanted: async () => (await store.schedules.count()) > 0,
    seenMs: store.schedules.seenMs,
    setSeen: store.schedules.setSeen,
    now: Date.now,
    emit: app.emit,
  });
  const close = app.defer(async () => {
    await ticks.close();
    await scheduler.close();
  });
  return { close };
}

/** What stands for workers in other processes. */
const ELSEWHERE: Working = { dispatcher: () => null, pace: () => null, concurrency: 0, close: async () => {} };

/** What metrics tell of the schedules. */
export async function scheduleFigures(store: ScheduleStore, nowMs: number): Promise<ScheduleFigures> {
  const all = await store.list();
  const overdueMs = all.map(
    (known) => nowMs - (overdueSince(store.timesOf(known.schedule), known.state, nowMs) ?? nowMs),
  );
  const successes = all.flatMap(({ state }) => state.succeededAtMs ?? []);
  return {
    count: all.length,
    late: all.filter((known) => isLate(known, store.timesOf(known.schedule), nowMs)).length,
    running: all.filter(({ state }) => state.run !== null).length,
    overdueMs: Math.max(0, ...overdueMs),
    lastSuccessMs: successes.length === 0 ? null : Math.min(...successes),
  };
}

/** A schedule as `list` tells it. */
export function tellSchedule({ schedule, state }: KnownSchedule, store: ScheduleStore, nowMs: number) {
  const times = store.timesOf(schedule);
  const sinceMs = overdueSince(times, state, nowMs);
  return {
    schedule: schedule.name,
    cron: schedule.cron,
    tz: schedule.tz,
    providers: schedule.providers,
    sources: schedule.sources,
    out: schedule.out,
    next: isoOf(times.next(nowMs)),
    running: state.run,
    last: state.last,
    lastSuccess: isoOf(state.succeededAtMs),
    overdueSince: isoOf(sinceMs),
    late: isLate({ schedule, state }, times, nowMs),
    refused: state.refused,
  };
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
