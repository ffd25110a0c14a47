import type { ProviderName } from "./answer.js";
import type { Outcome } from "./reading.js";

/** What is true of all processes together, as one of them looks it up in Redis. */
export interface FleetState {
  /** Pages of the batches that are open, by what became of them: `found` is their sum. */
  readonly pages: Readonly<Record<Outcome | "pending", number>>;
  /** When the number of pages with an outcome was last seen to change; null: never. @unit Unix time in ms */
  readonly lastProgressMs: number | null;
  /** One for each account. */
  readonly paces: readonly FleetPace[];
  /** Jobs of `card-images`. */
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Connections that take jobs. */
  readonly workers: number;
  /** Outcomes of open batches that nobody has recorded yet. */
  readonly unread: number;
  /** @unit bytes */
  readonly redisMemory: number;
  /** Null: not limited. @unit bytes */
  readonly redisMaxMemory: number | null;
  readonly schedules: ScheduleFigures;
}

export interface ScheduleFigures {
  readonly count: number;
  /** Schedules that have waited for a run to succeed for longer than they allow. */
  readonly late: number;
  readonly running: number;
  /** How long the one has waited that waits longest. @unit milliseconds */
  readonly overdueMs: number;
  /** Of the schedule whose last success is longest ago; null: none has succeeded yet. @unit Unix time in ms */
  readonly lastSuccessMs: number | null;
}

export interface FleetPace {
  readonly provider: ProviderName;
  /** Calls a second at present. */
  readonly rate: number;
  readonly breaker: "closed" | "open" | "probing";
}

export const JOB_STATES = ["waiting", "active", "asleep"] as const;
export type JobState = (typeof JOB_STATES)[number];
