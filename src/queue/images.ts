import { Queue } from "bullmq";
import type { ImageJob, RequestId } from "../domain/payload.js";
import { BATCH_PRIORITY, EVENT_STREAM, IMAGE_JOB, IMAGE_QUEUE } from "../domain/queue-names.js";
import type { Keys } from "./keys.js";
import { type Redis, untilDone } from "./redis.js";

/** What was begun goes before what was not; BullMQ would put it behind the whole backlog. */
export const RESUMED_PRIORITY = BATCH_PRIORITY - 1;

/** A job that is not to start for this long waits for its batch, not for its turn. @unit milliseconds */
const ASLEEP_MS = 15_000;
const WAKE_AT_A_TIME = 256;

/** The queue of images, from the side that fills it. */
export interface Images {
  /** Enqueues; a request that waits or runs already is left as it is. */
  add(jobs: readonly { request: RequestId; job: ImageJob }[]): Promise<void>;
  /** Jobs that nobody works on yet. */
  backlog(): Promise<number>;
  /** Of these, jobs that go ahead of every batch. */
  urgent(): Promise<number>;
  /** Of these, jobs that nobody is to start for a while yet, because their batch may not go on at present. */
  asleep(): Promise<number>;
  /** Has the batch's jobs that were put off started at once. */
  wake(batch: string): Promise<void>;
  /** Jobs of the batch that somebody works on. */
  inWork(batch: string): Promise<number>;
  /** Jobs of every kind. */
  unfinished(): Promise<number>;
  /** Workers that are connected at present. */
  workers(): Promise<number>;
  close(): Promise<void>;
}

export function createImages(redis: Redis, keys: Keys): Images {
  const queue = new Queue(IMAGE_QUEUE, { connection: redis, prefix: keys.prefix, streams: EVENT_STREAM });
  queue.on("error", () => {});
  return {
    add: async (jobs) => {
      if (jobs.length === 0) return;
      const entries = jobs.map(({ request, job }) => ({
        name: IMAGE_JOB,
        data: job,
        // The workers take finished jobs away: said here, it would be kept in Redis with every job that waits.
        opts: { jobId: request, ...(job.priority === "interactive" ? {} : { priority: BATCH_PRIORITY }) },
      }));
      // Its id keeps a job that is there already from being there twice.
      await untilDone(() => queue.addBulk(entries));
    },
    backlog: async () => sum(await queue.getJobCounts("wait", "prioritized", "delayed")),
    urgent: () => redis.llen(queue.toKey("wait")),
    asleep: () => redis.zcount(queue.toKey("delayed"), asleepFrom(Date.now()), "+inf"),
    wake: async (batch) => {
      let left = 0;
      for (;;) {
        const jobs = await queue.getDelayed(left, left + WAKE_AT_A_TIME - 1);
        const its = jobs.filter((job) => job?.data?.batch === batch);
        // One that has begun meanwhile is awake already.
        await Promise.all(its.map((job) => job.promote().catch(() => {})));
        left += jobs.length - its.length;
        if (jobs.length < WAKE_AT_A_TIME) return;
      }
    },
    inWork: async (batch) => (await queue.getActive()).filter((job) => job?.data?.batch === batch).length,
    unfinished: async () => sum(await queue.getJobCounts("wait", "prioritized", "delayed", "active")),
    workers: () => queue.getWorkersCount(),
    close: () => queue.close(),
  };
}

/** From which score on a delayed job sleeps: BullMQ sorts them by their time, and behind it twelve bits of their order. */
export function asleepFrom(nowMs: number): number {
  return (nowMs + ASLEEP_MS) * 4096;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
