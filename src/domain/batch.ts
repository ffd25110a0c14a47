import type { ProviderName } from "./answer.js";
import type { ErrorCode } from "./errors.js";
import type { ImageKey } from "./image.js";
import type { BatchLimits, LeftInLimits, Prices } from "./money.js";
import type { RequestId } from "./payload.js";
import type { Outcome, Thresholds } from "./reading.js";
import type { CallWindow } from "./window.js";

/** A folder that a batch reads from: under a named root, or by its absolute path. Where a file stands in for a folder, its parent. */
export interface SourceFolder {
  readonly root?: string;
  readonly path: string;
}

/** What was settled when a batch was made; every worker judges by it, whatever its own settings are. */
export interface BatchPolicy {
  readonly providers: readonly ProviderName[];
  readonly thresholds: Thresholds;
}

export interface Batch extends BatchPolicy {
  readonly name: string;
  /** Where its outcomes go; null is the plain `card-results` and `card-failures`. */
  readonly destination: string | null;
  readonly sources: readonly SourceFolder[];
  /**
   * Counts how often the batch was opened anew: with another policy, schema or `--out`, or to call again. A request is
   * done when its outcome is of the present generation. One character, since every request carries it.
   */
  readonly generation: string;
  /** Answers stored before this moment don't count (`--refresh`). Unix time in ms; 0: all count. */
  readonly refreshSinceMs: number;
  /** When work may start; null: always. */
  readonly window: CallWindow | null;
  readonly halt: Halt | null;
}

/**
 * - `paused`: nothing new begins until somebody resumes it.
 * - `cancelled`: what waits is taken off the queue, and stays pending until its sources are run again.
 */
export const HALTS = ["paused", "cancelled"] as const;
export type Halt = (typeof HALTS)[number];

/**
 * What a batch is allowed over all its runs. Of what is not given the batch keeps what it has; null takes a limit away.
 */
export interface BatchTerms {
  readonly maxCalls?: number | null;
  /** In millionths. */
  readonly budget?: number | null;
  readonly prices?: Prices;
  readonly window?: CallWindow | null;
}

export interface ProviderCounts {
  readonly calls: number;
  readonly billableCalls: number;
  readonly uncertainCalls: number;
}

/** What a batch has cost and may cost still, in millionths. */
export interface BatchMoney {
  readonly limits: BatchLimits;
  readonly prices: Prices;
  /** Of billable calls. */
  readonly cost: number;
  /** Of calls that may have been billed, or may be: uncertain ones, and those under way. */
  readonly atRisk: number;
  /** Calls whose end is not known yet. */
  readonly underWay: number;
  readonly left: LeftInLimits;
  /** No call is left in its limits, at present or for good. */
  readonly spent: boolean;
}

/** Where a batch stands. `found = accepted + review + rejected + failed + duplicate + pending`, always. */
export interface BatchCounts {
  readonly found: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly pending: number;
  /** Outcomes of an earlier generation, which are to be judged anew. */
  readonly stale: number;
  readonly providers: Readonly<Partial<Record<ProviderName, ProviderCounts>>>;
  readonly money: BatchMoney;
  /** Every request of the sources has been enqueued or was already done. */
  readonly fed: boolean;
  readonly halt: Halt | null;
}

/** One page as intake found it. */
export interface Admission {
  readonly request: RequestId;
  /** Null where the file could not be read: its outcome will say why. */
  readonly imageKey: ImageKey | null;
  readonly page: number;
}

/** Why a request ended `failed`. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}
