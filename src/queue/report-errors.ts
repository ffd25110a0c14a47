import { ErrorCode, type Worker } from "bullmq";
import type { EventSink } from "../domain/events.js";
import { isConnectionError } from "./redis-trouble.js";

/**
 * Tells of what goes wrong in a worker beside its jobs. Not of the connection, of which everybody is told once; nor of lost
 * locks: whoever has lost one leaves its job alone, and another worker has it.
 */
export function reportErrors(worker: Worker, emit: EventSink): void {
  let missedRenewals = 0;
  // BullMQ names the jobs in this event first, and then emits as many errors.
  worker.on("lockRenewalFailed", (jobs) => {
    missedRenewals += jobs.length;
  });
  worker.on("error", (error) => {
    if (missedRenewals > 0) missedRenewals--;
    else if (!isConnectionError(error) && !isLostLock(error)) emit({ type: "fault", where: "queue", error });
  });
}

const LOST: ReadonlySet<unknown> = new Set([
  ErrorCode.JobLockNotExist,
  ErrorCode.JobLockMismatch,
  ErrorCode.JobNotInState,
  ErrorCode.JobNotExist,
]);

/** A job is no longer ours, or no longer there. */
export function isLostLock(error: unknown): boolean {
  return error instanceof Error && "code" in error && LOST.has(error.code);
}
