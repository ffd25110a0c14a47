import { setTimeout as sleep } from "node:timers/promises";
import { type Job, Worker } from "bullmq";
import type { EventSink } from "../domain/events.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";
import { reportErrors } from "./report-errors.js";

/** A killed worker's jobs are somebody else's after the lock and one check, or two: 7 s at the most. */
export const LOCK_MS = 5000;
const STALLED_CHECK_MS = 1000;
/** A job never fails for having lost its worker; what kills workers is found by `image/` where it does. */
const NEVER_BY_STALLS = 1_000_000;
/** A worker that has free places and takes none of the jobs that wait, so many looks in a row, is dead without knowing it. */
const LOOK_MS = 2500;
const MOST_IDLE_LOOKS = 4;
/** How long a worker that was replaced may take to close; what it holds on to is gone with the process. */
const RETIRED_CLOSE_MS = 5000;
/** BullMQ keeps the time of a delayed job in its score, times this. */
const DELAY_SCALE = 0x1000;

export interface WatchedWorkerOptions {
  readonly queue: string;
  readonly concurrency: number;
  readonly lookMs?: number;
}

export interface WatchedWorkerDeps {
  /** Moves the job where it belongs, and throws accordingly; whatever it resolves with completes it. */
  readonly work: (job: Job, token: string | undefined) => Promise<void>;
  /** These jobs are no longer ours. */
  readonly onLost?: (jobs: readonly string[]) => void;
  readonly onCompleted?: (job: Job) => void;
  /** Redis is away, takes no writes, or has just come back: nobody gets a job then. @default never */
  readonly isSettling?: () => boolean;
  readonly emit: EventSink;
}

export interface WatchedWorker {
  /** Takes no new job from now on. */
  pause(): void;
  /** Takes no new job, lets those at work come to an end, and closes. */
  close(): Promise<void>;
}

/**
 * A worker of BullMQ that is replaced when it silently stops taking jobs, as happens after connection trouble (bullmq issues
 * 3185, 4479, 4585). The old one finishes what it has.
 */
export function createWatchedWorker(
  redis: Redis,
  keys: Keys,
  { queue, concurrency, lookMs = LOOK_MS }: WatchedWorkerOptions,
  deps: WatchedWorkerDeps,
): WatchedWorker {
  let atWork = 0;
  let taken = 0;
  const work = async (job: Job, token?: string): Promise<void> => {
    atWork++;
    taken++;
    try {
      await deps.work(job, token);
    } finally {
      atWork--;
    }
  };
  const open = (): Worker => {
    const worker = new Worker(queue, work, {
      connection: redis,
      prefix: keys.prefix,
      // Stands in each job that is begun.
      name: String(process.pid),
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER_BY_STALLS,
      runRetryDelay: 500,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    worker.on("completed", (job) => deps.onCompleted?.(job));
    worker.on("lockRenewalFailed", (jobs) => deps.onLost?.(jobs));
    reportErrors(worker, deps.emit);
    return worker;
  };

  let current = open();
  const retired: Promise<void>[] = [];
  const watchdog = startWatchdog(
    {
      isSettling: deps.isSettling ?? (() => false),
      waiting: () => countWaiting(redis, `${keys.prefix}:${queue}`),
      hasFreePlaces: () => atWork < concurrency,
      taken: () => taken,
      replace: () => {
        deps.emit({ type: "fault", where: `${queue}: a worker got none of the jobs that wait; replaced`, error: null });
        retired.push(current.close());
        current = open();
      },
    },
    lookMs,
  );
  return {
    pause: () => {
      watchdog.stop();
      void current.pause(true);
    },
    close: async () => {
      watchdog.stop();
      await current.close();
      await Promise.race([Promise.allSettled(retired), sleep(retired.length === 0 ? 0 : RETIRED_CLOSE_MS)]);
    },
  };
}

export interface Watched {
  isSettling(): boolean;
  /** Jobs that could be taken now. */
  waiting(): Promise<number>;
  hasFreePlaces(): boolean;
  /** Jobs taken so far. */
  taken(): number;
  replace(): void;
}

/** Looks every `lookMs`, and has what is watched replaced when it has got nothing for too long while there was something. */
export function startWatchdog(watched: Watched, lookMs: number): { stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let takenBefore = watched.taken();
  let idleLooks = 0;
  const look = async () => {
    const waiting = watched.isSettling() ? 0 : await watched.waiting().catch(() => 0);
    const taken = watched.taken();
    idleLooks = waiting > 0 && watched.hasFreePlaces() && taken === takenBefore ? idleLooks + 1 : 0;
    takenBefore = taken;
    if (timer === null) return;
    if (idleLooks >= MOST_IDLE_LOOKS) {
      idleLooks = 0;
      watched.replace();
    }
    plan();
  };
  const plan = () => {
    timer = setTimeout(() => void look(), lookMs);
    timer.unref();
  };
  plan();
  return {
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}

/** Jobs that wait, and those put off until a time that has passed; none of a queue that somebody paused. */
async function countWaiting(redis: Redis, queue: string): Promise<number> {
  const replies = await redis
    .pipeline()
    .hexists(`${queue}:meta`, "paused")
    .llen(`${queue}:wait`)
    .zcard(`${queue}:prioritized`)
    .zcount(`${queue}:delayed`, 0, (Date.now() - LOOK_MS) * DELAY_SCALE)
    .exec();
  const [paused = 0, ...counts] = (replies ?? []).map(([, count]) => Number(count));
  return paused > 0 ? 0 : counts.reduce((sum, count) => sum + count, 0);
}
