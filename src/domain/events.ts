import type { ProviderName } from "./answer.js";
import type { CardbatchError, ErrorCode } from "./errors.js";
import type { GoldenReading } from "./golden.js";
import type { PaceChange } from "./pace.js";
import type { OutcomeRecord } from "./record.js";
import type { RunResultName } from "./schedule.js";
import type { SinkName } from "./sink.js";

/** How a call ended: with cards, without, or with an error of the catalogue. */
export type CallResult = "ok" | "no-card" | ErrorCode;

/** Steps of a page's way that no other event tells of; `app/failpoint.ts` has all of them, in their order. */
export type Step = "taken" | "decoding" | "prepared" | "stored" | "completed";

/** What happens, as the stages tell it. They know nothing of logs and metrics; `telemetry` listens. */
export type CardbatchEvent =
  | { readonly type: "enqueued"; readonly count: number }
  | { readonly type: "step"; readonly step: Step; readonly request: string }
  | { readonly type: "job-started"; readonly waitedMs: number }
  | { readonly type: "turn-taken"; readonly provider: ProviderName; readonly waitedMs: number }
  | {
      readonly type: "called";
      readonly provider: ProviderName;
      readonly result: CallResult;
      readonly durationMs: number;
      readonly billable: boolean;
      readonly uncertain: boolean;
      readonly httpStatus: number | null;
      readonly vendorCode: string | null;
      readonly requestId: string | null;
      /** Made for a golden image, not for a request. */
      readonly isGolden?: true;
    }
  | ({ readonly type: "golden" } & GoldenReading)
  | { readonly type: "pace-changed"; readonly provider: ProviderName; readonly change: NonNullable<PaceChange> }
  | { readonly type: "provider-stopped"; readonly provider: ProviderName; readonly error: CardbatchError }
  | {
      readonly type: "put-back";
      readonly request: string;
      readonly code: ErrorCode;
      readonly delayMs: number;
      readonly attempts: number;
    }
  | { readonly type: "finished"; readonly record: OutcomeRecord; readonly durationMs: number }
  | { readonly type: "recorded"; readonly sink: string; readonly count: number }
  /** A sink that follows the files has written so many of their outcomes. */
  | { readonly type: "followed"; readonly sink: SinkName; readonly count: number }
  | { readonly type: "sink-failed"; readonly sink: string; readonly error: CardbatchError }
  /** An HTTP request was answered. `route`: as the server knows it, without what callers put in. */
  | { readonly type: "served"; readonly route: string; readonly status: number; readonly durationMs: number }
  | { readonly type: "webhook-sent"; readonly result: "done" | "later" | "park"; readonly durationMs: number }
  | {
      readonly type: "schedule-ended";
      readonly schedule: string;
      readonly result: RunResultName;
      readonly reason: string | null;
      readonly opened: number;
      readonly unchanged: number;
      readonly calls: number;
    }
  /** A due time passed while a run of the schedule was still going on. */
  | { readonly type: "schedule-refused"; readonly schedule: string }
  | { readonly type: "fault"; readonly where: string; readonly error: unknown };

export type EventSink = (event: CardbatchEvent) => void;
