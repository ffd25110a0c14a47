import type { EventSink } from "../domain/events.js";
import type { DueTimes, EndedRun, KnownSchedule, Schedule, ScheduledRun } from "../domain/schedule.js";

/** A count of missed due times ends here. */
const MOST_MISSED = 1000;

/** What an ended run tells of itself. */
export type RunReport = Pick<EndedRun, "result" | "reason" | "opened" | "unchanged" | "calls">;

export interface SchedulerDeps {
  readonly list: () => Promise<readonly KnownSchedule[]>;
  readonly get: (name: string) => Promise<KnownSchedule | null>;
  /** Sets a run's id if the due time has none yet and no run is going on. @returns whether it was set */
  readonly begin: (name: string, dueMs: number | null, run: ScheduledRun) => Promise<boolean>;
  /** @returns false: the due time had been dealt with */
  readonly refuse: (name: string, dueMs: number) => Promise<boolean>;
  readonly end: (name: string, run: ScheduledRun, ended: EndedRun) => Promise<void>;
  /** Held by the one process that works on a schedule's run; gone with the process. */
  readonly acquire: (name: string) => Promise<boolean>;
  readonly release: (name: string) => Promise<void>;
  readonly timesOf: (schedule: Schedule) => DueTimes;
  /** Whether this process sees the sources and the place of the results. */
  readonly canRun: (schedule: Schedule) => Promise<boolean>;
  /** Runs it, or goes on with it. Resolves null when it was asked to stop: then the run goes on elsewhere, or later. */
  readonly run: (schedule: Schedule, run: ScheduledRun, signal: AbortSignal) => Promise<RunReport | null>;
  /** @unit Unix time in ms */
  readonly now: () => number;
  readonly emit: EventSink;
}

export interface Scheduler {
  /** Sees what is due now, and has it begin. Resolves when it has begun, not when it has ended. */
  look(): Promise<void>;
  /** Begins a run by hand, or goes on with one that nobody works on; resolves when it has ended. "busy": one is going on. */
  runNow(known: KnownSchedule): Promise<RunReport | null | "busy">;
  /** Asks what runs here to stop, and waits for it. */
  close(): Promise<void>;
}

/**
 * Has each due time run once, in one of all the processes that look:
 * due → begun (its id is set, by one process) → ended, as succeeded or failed.
 * A run whose process died or was stopped stays begun, and the next process that looks goes on with it. What was due while
 * nobody looked is made up by one run for all of it. What is due while a run goes on is refused.
 */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const closing = new AbortController();
  const live = new Map<string, Promise<RunReport | null>>();

  /** Takes the schedule for this process, if it can have it and `isStillWanted`. */
  const take = async (schedule: Schedule, isStillWanted: () => Promise<boolean>): Promise<boolean> => {
    const { name } = schedule;
    if (closing.signal.aborted || live.has(name) || !(await deps.canRun(schedule))) return false;
    if (!(await deps.acquire(name))) return false;
    if (await isStillWanted()) return true;
    await deps.release(name);
    return false;
  };

  const start = (schedule: Schedule, run: ScheduledRun): Promise<RunReport | null> => {
    const { name } = schedule;
    const execute = async () => {
      try {
        const report = await deps.run(schedule, run, closing.signal);
        if (report === null) return null;
        await deps.end(name, run, { ...run, ...report, endedAtMs: deps.now() });
        deps.emit({ type: "schedule-ended", schedule: name, ...report });
        return report;
      } finally {
        await deps.release(name);
        live.delete(name);
      }
    };
    const running = execute();
    live.set(name, running);
    // Who has not asked for it does not wait for it; what goes wrong is told, and the run goes on at the next look.
    running.catch((error: unknown) => deps.emit({ type: "fault", where: `schedule ${name}`, error }));
    return running;
  };

  const isBegun = async (name: string, run: ScheduledRun) => (await deps.get(name))?.state.run?.id === run.id;

  const consider = async ({ schedule, state }: KnownSchedule): Promise<void> => {
    const { name } = schedule;
    const nowMs = deps.now();
    const times = deps.timesOf(schedule);
    const dueMs = times.last(nowMs);
    const isDue = dueMs !== null && dueMs > state.handledMs;
    const { run } = state;
    if (run !== null) {
      if (isDue && (await deps.refuse(name, dueMs))) deps.emit({ type: "schedule-refused", schedule: name });
      if (await take(schedule, () => isBegun(name, run))) start(schedule, run);
    } else if (isDue) {
      const missed = countMissed(times, state.handledMs, dueMs);
      const next = { id: new Date(dueMs).toISOString(), byHand: false, missed, startedAtMs: nowMs };
      if (await take(schedule, () => deps.begin(name, dueMs, next))) start(schedule, next);
    }
  };

  return {
    look: async () => {
      for (const known of await deps.list()) {
        await consider(known).catch((error: unknown) =>
          deps.emit({ type: "fault", where: `schedule ${known.schedule.name}`, error }),
        );
      }
    },
    runNow: async ({ schedule, state }) => {
      const nowMs = deps.now();
      const next = { id: new Date(nowMs).toISOString(), byHand: true, missed: 0, startedAtMs: nowMs };
      const run = state.run ?? next;
      const isWanted = () => (state.run === null ? deps.begin(schedule.name, null, next) : isBegun(schedule.name, run));
      return (await take(schedule, isWanted)) ? start(schedule, run) : "busy";
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(live.values());
    },
  };
}

/** Due times between two, neither of them counted. */
function countMissed(times: DueTimes, afterMs: number, beforeMs: number): number {
  let missed = 0;
  for (let at = times.next(afterMs); at !== null && at < beforeMs && missed < MOST_MISSED; at = times.next(at))
    missed++;
  return missed;
}
