import { z } from "zod";
import { PROVIDER_NAMES } from "./answer.js";
import type { BatchTerms, SourceFolder } from "./batch.js";
import type { CallLimits } from "./pace.js";

/**
 * Sources that are read again and again, each time what is new or has changed. All runs of a schedule are runs of one batch,
 * whose name is the schedule's.
 */
export interface Schedule extends z.infer<typeof definitionSchema> {
  readonly name: string;
  readonly terms: BatchTerms;
}

const nullable = <S extends z.ZodType>(schema: S) => schema.nullable();

/** What a schedule says, as it is kept. */
export const definitionSchema = z.object({
  /** Five fields, or six with seconds in front. */
  cron: z.string(),
  /** IANA name. */
  tz: z.string(),
  /** Folders, files, globs and manifests: under a named root, or by their absolute paths. */
  sources: z.array(z.custom<SourceFolder>((value) => typeof value === "object" && value !== null)),
  encoding: z.string(),
  providers: z.array(z.enum(PROVIDER_NAMES)),
  /** Absolute. */
  out: z.string(),
  csv: z.boolean(),
  sinks: z.array(z.string()),
  destination: z.string(),
  /** Calls a second, and under way at a time, of a run by hand; others go by what their worker was told. */
  rate: nullable(z.custom<Omit<CallLimits, "inFlight">>((value) => typeof value === "object" && value !== null)),
  concurrency: nullable(z.number()),
  /** Most pages a run. */
  limit: nullable(z.number()),
  backlog: z.number(),
  patienceMs: z.number(),
  terms: z.custom<BatchTerms>((value) => typeof value === "object" && value !== null),
  /** Opens every file, changed or not. */
  rehash: z.boolean(),
  /** A run that finds no image at all succeeds. */
  allowEmpty: z.boolean(),
  /** Where each run appends its line, absolute. */
  report: z.string(),
  /** Where each run's report is sent; null: nowhere. */
  webhook: nullable(z.object({ url: z.string(), secret: z.string() })),
  /** So long a due run may take to succeed before the schedule is late. */
  lateAfterMs: z.number(),
});

/** A run that has begun. */
export const runSchema = z.object({
  /** `2026-11-22T18:00:00.000Z`: when it was due; of a run by hand, when it was begun. */
  id: z.string(),
  byHand: z.boolean(),
  /** How many due times before it nobody was there for. */
  missed: z.number(),
  startedAtMs: z.number(),
});
export type ScheduledRun = z.infer<typeof runSchema>;

export const RUN_RESULTS = ["succeeded", "failed"] as const;
export type RunResultName = (typeof RUN_RESULTS)[number];

/** How a run ended. `reason` is for people. */
export const endedRunSchema = runSchema.extend({
  endedAtMs: z.number(),
  result: z.enum(RUN_RESULTS),
  reason: nullable(z.string()),
  /** Files that were opened, and files that were passed over because they are as they were. */
  opened: z.number(),
  unchanged: z.number(),
  calls: z.number(),
});
export type EndedRun = z.infer<typeof endedRunSchema>;

/** What has become of a schedule so far. */
export interface ScheduleState {
  /** Since when it is as it is now. */
  readonly settledAtMs: number;
  /** Due times up to here have had their run, or were refused it. */
  readonly handledMs: number;
  /** Begun, and not ended. */
  readonly run: ScheduledRun | null;
  readonly last: EndedRun | null;
  /** The start of the last run that succeeded; what was due by then is done. */
  readonly succeededStartMs: number | null;
  readonly succeededAtMs: number | null;
  /** Due times that passed while a run was still going on. */
  readonly refused: number;
}

export interface KnownSchedule {
  readonly schedule: Schedule;
  readonly state: ScheduleState;
}

/** When a schedule is due. */
export interface DueTimes {
  /** The first due time after a moment. */
  next(afterMs: number): number | null;
  /** The last due time up to a moment, itself included. */
  last(untilMs: number): number | null;
}

/**
 * Since when a schedule has been waiting for a run to succeed: the first due time after the last one that did.
 * @returns null when it waits for none
 */
export function overdueSince(times: DueTimes, state: ScheduleState, nowMs: number): number | null {
  const sinceMs = times.next(Math.max(state.succeededStartMs ?? 0, state.settledAtMs));
  return sinceMs !== null && sinceMs <= nowMs ? sinceMs : null;
}

/** Whether a schedule has been overdue for longer than it allows. */
export function isLate({ schedule, state }: KnownSchedule, times: DueTimes, nowMs: number): boolean {
  const sinceMs = overdueSince(times, state, nowMs);
  return sinceMs !== null && nowMs - sinceMs > schedule.lateAfterMs;
}
