import { DelayedError, type Job, Worker } from "bullmq";
import { z } from "zod";
import type { Batch } from "../domain/batch.js";
import type { StopSignals } from "../domain/dispatcher.js";
import type { CardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { ImageKey } from "../domain/image.js";
import { type ImageJob, imageJobSchema, PAYLOAD_SCHEMA, type RequestId } from "../domain/payload.js";
import type { OutcomeRecord } from "../domain/record.js";
import { type AttemptState, FIRST_ATTEMPT } from "../domain/retry-policy.js";
import { opensAt } from "../domain/window.js";
import { IMAGE_JOB, IMAGE_QUEUE } from "./images.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";
import { reportErrors } from "./report-errors.js";

/** A killed worker's jobs are somebody else's after the lock and one check: 8 s at the most. */
const LOCK_MS = 6000;
const STALLED_CHECK_MS = 2000;
/** A job never fails for having lost its worker; what kills workers is found by `image/` where it does. */
const NEVER_BY_STALLS = 1_000_000;
/** A payload of a version that is not known here waits for a worker that knows it. */
const UNKNOWN_VERSION_MS = 10 * 60_000;
const DESTINATION_FULL_MS = 1000;
/** A batch outside its window is looked at again after this at the latest, whatever the clocks do. */
const LONGEST_CLOSED_MS = 10 * 60_000;

interface PageJob {
  readonly request: RequestId;
  readonly imageKey: ImageKey;
  readonly page: number;
  readonly job: ImageJob;
}

/** What comes of a job, as `recognition/` tells it. */
type Result =
  | { readonly kind: "outcome"; readonly record: OutcomeRecord }
  | { readonly kind: "settled" }
  | { readonly kind: "pages"; readonly pages: readonly PageJob[] }
  | { readonly kind: "again"; readonly error: CardbatchError; readonly delayMs: number; readonly state: AttemptState };

export interface ImageWorkerDeps {
  readonly recognize: (job: ImageJob, batch: Batch, state: AttemptState, stop: StopSignals) => Promise<Result>;
  /** The batch that a job names, or what stands in for one that nobody opened. */
  readonly batch: (name: string) => Promise<Batch>;
  readonly publish: (record: OutcomeRecord, destination: string | null, generation: string) => Promise<void>;
  readonly isFull: (destination: string | null) => Promise<boolean>;
  /** Enqueues each page of an image whose job did not name one. */
  readonly addPages: (pages: readonly PageJob[], batch: Batch) => Promise<void>;
  /** The outcome of a job that does not fit the schema; a destination of its own, if it named one. */
  readonly refuse: (jobId: string, data: unknown) => { record: OutcomeRecord; destination: string | null };
  readonly emit: EventSink;
}

export interface ImageWorker {
  /** Takes no new job, lets those at work come to an end, and closes. */
  close(): Promise<void>;
}

export interface ImageWorkerOptions {
  readonly concurrency: number;
  readonly stop: StopSignals;
}

/** Whoever may add jobs may also make up their state. */
const attemptSchema = z.object({
  attempts: z.number().int().positive(),
  calls: z.number().int().nonnegative(),
  met: z.record(z.string(), z.number()),
  charged: z.object({ streak: z.string(), attempts: z.number().int().positive() }).exactOptional(),
  spared: z.number().int().nonnegative().exactOptional(),
});

/**
 * Works on `card-images`, and is the one place that turns what comes of a request into what BullMQ does with its job:
 * an outcome completes it, anything else moves it to later. BullMQ itself never fails or retries a job.
 */
export function createImageWorker(
  redis: Redis,
  keys: Keys,
  options: ImageWorkerOptions,
  deps: ImageWorkerDeps,
): ImageWorker {
  const process = async (job: Job, token: string | undefined): Promise<void> => {
    const startedAt = performance.now();
    deps.emit({ type: "step", step: "taken", request: job.id ?? "" });
    const finish = async (record: OutcomeRecord, destination: string | null, batch: Batch): Promise<void> => {
      await deps.publish(record, destination ?? batch.destination, batch.generation);
      deps.emit({ type: "finished", record, durationMs: performance.now() - startedAt });
    };
    // Later starts say when the job was put back, not how long the queue is.
    if (job.attemptsStarted <= 1) deps.emit({ type: "job-started", waitedMs: Math.max(Date.now() - job.timestamp, 0) });
    const later = async (delayMs: number): Promise<never> => {
      await job.moveToDelayed(Date.now() + delayMs, token);
      throw new DelayedError();
    };
    if (job.name !== IMAGE_JOB || job.data?.schema !== PAYLOAD_SCHEMA) {
      deps.emit({ type: "fault", where: "job of an unknown version", error: null });
      return later(UNKNOWN_VERSION_MS);
    }
    const parsed = imageJobSchema.safeParse(job.data);
    if (!parsed.success) {
      const { record, destination } = deps.refuse(job.id ?? "", job.data);
      return finish(record, destination, await deps.batch(record.batch));
    }
    const batch = await deps.batch(parsed.data.batch);
    const closedMs = opensAt(batch.window, Date.now()) - Date.now();
    if (closedMs > 0) return later(Math.min(closedMs, LONGEST_CLOSED_MS));
    const { destination = null } = parsed.data;
    if (await deps.isFull(destination ?? batch.destination)) return later(DESTINATION_FULL_MS);

    const state = attemptSchema.safeParse(job.data.state).data ?? FIRST_ATTEMPT;
    const result = await deps.recognize(parsed.data, batch, state, options.stop);
    switch (result.kind) {
      case "settled":
        return;
      case "pages":
        return deps.addPages(result.pages, batch);
      case "outcome":
        return finish(result.record, destination, batch);
      case "again":
        deps.emit({
          type: "put-back",
          request: job.id ?? "",
          code: result.error.code,
          delayMs: result.delayMs,
          attempts: result.state.attempts,
        });
        await job.updateData({ ...job.data, state: result.state });
        return later(result.delayMs);
    }
  };

  const guarded = async (job: Job, token?: string): Promise<void> => {
    try {
      await process(job, token);
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      // Redis went away under our hands, or a fault of ours: the job must not be failed for it.
      deps.emit({ type: "fault", where: "worker", error });
      await job.moveToDelayed(Date.now() + DESTINATION_FULL_MS, token);
      throw new DelayedError();
    }
  };

  const worker = new Worker(IMAGE_QUEUE, guarded, {
    connection: redis,
    prefix: keys.prefix,
    concurrency: options.concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: NEVER_BY_STALLS,
    runRetryDelay: 500,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  });
  worker.on("completed", (job) => deps.emit({ type: "step", step: "completed", request: job.id ?? "" }));
  reportErrors(worker, deps.emit);
  return { close: () => worker.close() };
}
