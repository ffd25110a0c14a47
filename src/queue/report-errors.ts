import type { Worker } from "bullmq";
import type { EventSink } from "../domain/events.js";

/**
 * Tells of what goes wrong in a worker beside its jobs. Not of locks that could not be renewed: one is missed whenever a job
 * ends while its renewal is on the way, and whoever has really lost his lock is told so when he ends his job.
 */
export function reportErrors(worker: Worker, emit: EventSink): void {
  let missedRenewals = 0;
  // BullMQ names the jobs in this event first, and then emits as many errors.
  worker.on("lockRenewalFailed", (jobs) => {
    missedRenewals += jobs.length;
  });
  worker.on("error", (error) => {
    if (missedRenewals > 0) missedRenewals--;
    else emit({ type: "fault", where: "queue", error });
  });
}
