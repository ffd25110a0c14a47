import { Queue } from "bullmq";
import { IMAGE_QUEUE, outcomeQueueName } from "../domain/queue-names.js";
import { OUTCOME_STREAMS } from "../domain/record.js";
import { asleepFrom } from "./images.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

export interface QueueCounts {
  /** Not begun, or put off for a moment. */
  readonly waiting: number;
  readonly active: number;
  /** Put off for longer, most of all because their batch may not go on. */
  readonly asleep: number;
}

export interface ImageQueueCounts extends QueueCounts {
  readonly workers: number;
}

/** Counts the jobs of `card-images`; changes nothing. */
export function countImages(redis: Redis, keys: Keys): Promise<ImageQueueCounts> {
  return look(redis, keys, IMAGE_QUEUE, async (queue) => {
    const counts = await countJobs(redis, queue);
    return { ...counts, workers: await queue.getWorkersCount() };
  });
}

/** Counts the outcomes of a destination that nobody has recorded yet; changes nothing. */
export async function countUnread(redis: Redis, keys: Keys, destination: string | null): Promise<number> {
  const names = OUTCOME_STREAMS.map((stream) => outcomeQueueName(stream, destination));
  const counts = await Promise.all(names.map((name) => look(redis, keys, name, (queue) => countJobs(redis, queue))));
  return counts.reduce((sum, { waiting, active, asleep }) => sum + waiting + active + asleep, 0);
}

async function countJobs(redis: Redis, queue: Queue): Promise<QueueCounts> {
  const {
    wait = 0,
    prioritized = 0,
    delayed = 0,
    active = 0,
  } = await queue.getJobCounts("wait", "prioritized", "delayed", "active");
  const asleep = await redis.zcount(queue.toKey("delayed"), asleepFrom(Date.now()), "+inf");
  return { waiting: wait + prioritized + delayed - asleep, active, asleep };
}

async function look<T>(redis: Redis, keys: Keys, name: string, ask: (queue: Queue) => Promise<T>): Promise<T> {
  const queue = new Queue(name, { connection: redis, prefix: keys.prefix, skipMetasUpdate: true });
  queue.on("error", () => {});
  try {
    return await ask(queue);
  } finally {
    await queue.close();
  }
}
