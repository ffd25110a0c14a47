import { setMaxListeners } from "node:events";
import { DelayedError, type Job, WaitingError } from "bullmq";
import { z } from "zod";
import type { Batch } from "../domain/batch.js";
import type { StopSignals } from "../domain/dispatcher.js";
import type { CardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { ImageKey } from "../domain/image.js";
import { type ImageJob, imageJobSchema, PAYLOAD_SCHEMA, type RequestId } from "../domain/payload.js";
import { BATCH_PRIORITY, IMAGE_JOB, IMAGE_QUEUE } from "../domain/queue-names.js";
import type { OutcomeRecord } from "../domain/record.js";
import { type AttemptState, FIRST_ATTEMPT } from "../domain/retry-policy.js";
import { opensAt } from "../domain/window.js";
import { RESUMED_PRIORITY } from "./images.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";
import { isLostLock } from "./report-errors.js";
import { createWatchedWorker, LOCK_MS } from "./watched-worker.js";

/** A payload of a version that is not known here waits for a worker that knows it. */
const UNKNOWN_VERSION_MS = 10 * 60_000;
/** A job whose destination is full is looked at again after this, twice as long each time, so that many who wait cost little. */
const DESTINATION_FULL_MS = 1000;
const LONGEST_FULL_MS = 30_000;
/** A batch that is paused or outside its window is looked at again after this at the latest, whatever the clocks do. */
const LONGEST_CLOSED_MS = 10 * 60_000;
const FAULT_MS = 1000;
/** A job taken so lately is ours without asking. */
const SURELY_OURS_MS = LOCK_MS / 2;

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
  /** @param job what the request can be tried again with; null: it cannot */
  readonly publish: (
    record: OutcomeRecord,
    destination: string | null,
    generation: string,
    job: ImageJob | null,
  ) => Promise<void>;
  /** Whether the batch is cancelled at this very moment. */
  readonly isCancelled: (batch: string) => Promise<boolean>;
  readonly isFull: (destination: string | null) => Promise<boolean>;
  /** Enqueues each page of an image whose job did not name one. */
  readonly addPages: (pages: readonly PageJob[], batch: Batch) => Promise<void>;
  /** The outcome of a job that does not fit the schema; a destination of its own, if it named one. */
  readonly refuse: (jobId: string, data: unknown) => { record: OutcomeRecord; destination: string | null };
  /** Redis is not to be relied on at present. @default never */
  readonly isSettling?: () => boolean;
  readonly emit: EventSink;
}

/** Where an outcome goes unless the batch says so, and what it came from. */
interface Published {
  readonly destination: string | null;
  readonly job: ImageJob | null;
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
 *
 * A job whose lock is lost is somebody else's: what waits for it is given up, a call under way ends and its answer is stored,
 * but nothing is published, and the job is left as it is.
 */
export function createImageWorker(
  redis: Redis,
  keys: Keys,
  { concurrency, stop }: ImageWorkerOptions,
  deps: ImageWorkerDeps,
): ImageWorker {
  const jobs = new Map<string, AbortController>();

  const process = async (job: Job, token: string | undefined, signals: StopSignals): Promise<void> => {
    const startedAt = performance.now();
    deps.emit({ type: "step", step: "taken", request: job.id ?? "" });
    const finish = async (record: OutcomeRecord, batch: Batch, from: Published): Promise<void> => {
      await deps.publish(record, from.destination ?? batch.destination, batch.generation, from.job);
      deps.emit({ type: "finished", record, durationMs: performance.now() - startedAt });
    };
    // Later starts say when the job was put back, not how long the queue is.
    if (job.attemptsStarted <= 1) deps.emit({ type: "job-started", waitedMs: Math.max(Date.now() - job.timestamp, 0) });
    if (job.name !== IMAGE_JOB || job.data?.schema !== PAYLOAD_SCHEMA) {
      deps.emit({ type: "fault", where: "job of an unknown version", error: null });
      return later(job, token, UNKNOWN_VERSION_MS);
    }
    const parsed = imageJobSchema.safeParse(job.data);
    if (!parsed.success) {
      const { record, destination } = deps.refuse(job.id ?? "", job.data);
      return finish(record, await deps.batch(record.batch), { destination, job: null });
    }
    const batch = await deps.batch(parsed.data.batch);
    // Its request stays pending, and is enqueued again when its sources are.
    if (batch.halt === "cancelled" && (await deps.isCancelled(batch.name))) return;
    if (batch.halt !== null) return later(job, token, LONGEST_CLOSED_MS);
    const closedMs = opensAt(batch.window, Date.now()) - Date.now();
    if (closedMs > 0) return later(job, token, Math.min(closedMs, LONGEST_CLOSED_MS));
    const { destination = null } = parsed.data;
    if (await deps.isFull(destination ?? batch.destination)) {
      return later(job, token, Math.min(DESTINATION_FULL_MS * 2 ** (job.attemptsStarted - 1), LONGEST_FULL_MS));
    }

    const state = attemptSchema.safeParse(job.data.state).data ?? FIRST_ATTEMPT;
    const result = await deps.recognize(parsed.data, batch, state, signals);
    if (!(await isOurs(job, token))) throw new DelayedError();
    switch (result.kind) {
      case "settled":
        return;
      case "pages":
        return deps.addPages(result.pages, batch);
      case "outcome":
        return finish(result.record, batch, { destination, job: parsed.data });
      case "again":
        deps.emit({
          type: "put-back",
          request: job.id ?? "",
          code: result.error.code,
          delayMs: result.delayMs,
          attempts: result.state.attempts,
        });
        await job.updateData({ ...job.data, state: result.state });
        // Who was asked to stop leaves its jobs to whoever goes on.
        return result.error.code === "cancelled" ? giveBack(job, token) : later(job, token, result.delayMs);
    }
  };

  const work = async (job: Job, token: string | undefined): Promise<void> => {
    const soft = new AbortController();
    setMaxListeners(0, soft.signal);
    if (stop.soft.aborted) soft.abort();
    jobs.set(job.id ?? "", soft);
    try {
      await process(job, token, { soft: soft.signal, hard: stop.hard });
    } catch (error) {
      if (error instanceof DelayedError || error instanceof WaitingError) throw error;
      // A fault of ours: the job must not be failed for it. Should it not be ours any more, it is left alone.
      if (!isLostLock(error)) deps.emit({ type: "fault", where: "worker", error });
      await job.moveToDelayed(Date.now() + FAULT_MS, token).catch(() => {});
      throw new DelayedError();
    } finally {
      if (jobs.get(job.id ?? "") === soft) jobs.delete(job.id ?? "");
    }
  };

  const worker = createWatchedWorker(
    redis,
    keys,
    { queue: IMAGE_QUEUE, concurrency },
    {
      work,
      onLost: (lost) => {
        for (const job of lost) jobs.get(job)?.abort();
      },
      onCompleted: (job) => deps.emit({ type: "step", step: "completed", request: job.id ?? "" }),
      isSettling: deps.isSettling ?? (() => false),
      emit: deps.emit,
    },
  );
  const onStop = () => {
    worker.pause();
    for (const soft of jobs.values()) soft.abort();
  };
  if (stop.soft.aborted) onStop();
  else stop.soft.addEventListener("abort", onStop, { once: true });
  return {
    close: () => {
      stop.soft.removeEventListener("abort", onStop);
      return worker.close();
    },
  };
}

async function later(job: Job, token: string | undefined, delayMs: number): Promise<never> {
  if (job.priority === BATCH_PRIORITY) await job.changePriority({ priority: RESUMED_PRIORITY });
  await job.moveToDelayed(Date.now() + delayMs, token);
  throw new DelayedError();
}

async function giveBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** Whether the job's lock is still held by us; then it is held for its whole time once more. */
async function isOurs(job: Job, token = ""): Promise<boolean> {
  if (Date.now() - (job.processedOn ?? 0) < SURELY_OURS_MS) return true;
  return (await job.extendLock(token, LOCK_MS)) === 1;
}
