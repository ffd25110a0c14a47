import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "bullmq";
import { BATCH_PRIORITY, DEFAULT_PREFIX, EVENT_STREAM, IMAGE_JOB, IMAGE_QUEUE } from "../domain/queue-names.js";
import { CardbatchClientError } from "./client-error.js";
import { connect } from "./connect.js";
import { type EnqueuedImage, type ImageToRead, type JobToAdd, toJob } from "./image-jobs.js";
import { createOutcomeCounter } from "./outcome-counter.js";

/** Jobs added in one round trip. */
const AT_A_TIME = 200;
const LOOK_MS = 100;
/** Jobs that were put off for later take room, but nobody's turn; so many times as many may be there. */
const PUT_OFF_FACTOR = 10;
const COMMAND_RETRIES = 5;

export interface ProducerOptions {
  /** `redis://…` or `rediss://…`, the Redis of the workers. */
  readonly redisUrl: string;
  /** As `CARDBATCH_PREFIX` of the workers. @default "{cardbatch}" */
  readonly prefix?: string;
  /** While so many jobs wait, nothing is added. @default 1000 */
  readonly mostWaiting?: number;
  /** While so many outcomes of the job's destination are unread, nothing is added for it. @default 5000 */
  readonly mostUnread?: number;
  /** How long `add` waits for room before it gives up. @default 30,000 @unit milliseconds */
  readonly patienceMs?: number;
}

/** Puts images on the workers' queue. */
export interface Producer {
  /**
   * Enqueues, each destination's in the order given, waiting for room as often as it takes. Adding the same again, after an error or otherwise,
   * is harmless: a request ends in one outcome, however often it is enqueued.
   * @throws CardbatchClientError `payload-invalid`, `reference-holds-card-number` (then nothing was added), `queue-full`,
   *   `redis-unavailable`, `closed` (then a part may have been)
   */
  add(images: ImageToRead | readonly ImageToRead[], options?: AddOptions): Promise<readonly EnqueuedImage[]>;
  close(): Promise<void>;
}

export interface AddOptions {
  readonly signal?: AbortSignal;
}

/** Opens nothing before the first `add`. */
export function createProducer(options: ProducerOptions): Producer {
  let opening: ReturnType<typeof open> | null = null;
  let isClosed = false;
  return {
    add: async (images, { signal } = {}) => {
      const jobs = [images].flat().map(toJob);
      if (isClosed) throw new CardbatchClientError("closed", "the producer was closed");
      opening ??= open(options);
      const { add } = await opening.catch((error: unknown) => {
        // Next time may be better.
        opening = null;
        throw asClientError(error);
      });
      await add(jobs, signal);
      return jobs.map(({ request, jobId }) => ({ request, jobId }));
    },
    close: async () => {
      isClosed = true;
      await (await opening)?.close();
    },
  };
}

async function open({
  redisUrl,
  prefix = DEFAULT_PREFIX,
  mostWaiting = 1000,
  mostUnread = 5000,
  patienceMs = 30_000,
}: ProducerOptions) {
  const { Queue } = await import("bullmq");
  const redis = await connect({ redisUrl, name: "cardbatch-producer", retries: COMMAND_RETRIES, onError: () => {} });
  // BullMQ waits for a first connection however long that takes.
  await redis.ping().catch((error: unknown) => {
    redis.disconnect();
    throw error;
  });
  const queue = new Queue(IMAGE_QUEUE, { connection: redis, prefix, streams: EVENT_STREAM });
  // Whoever adds something hears of trouble by it.
  queue.on("error", () => {});
  const unread = createOutcomeCounter(redis, prefix);

  /** How many may be added to a destination's at present. */
  const room = async (destination: string | null): Promise<number> => {
    const { wait = 0, prioritized = 0, delayed = 0 } = await queue.getJobCounts("wait", "prioritized", "delayed");
    if (delayed >= mostWaiting * PUT_OFF_FACTOR || (await unread(destination)) >= mostUnread) return 0;
    return Math.min(Math.max(mostWaiting - wait - prioritized, 0), AT_A_TIME);
  };
  const waitForRoom = async (destination: string | null, signal: AbortSignal | undefined): Promise<number> => {
    const untilMs = performance.now() + patienceMs;
    for (;;) {
      const free = await room(destination);
      if (free > 0) return free;
      if (performance.now() > untilMs) {
        throw new CardbatchClientError("queue-full", `no room came free within ${patienceMs} ms; is a worker running?`);
      }
      await sleep(LOOK_MS, undefined, { signal });
    }
  };
  const addAll = async (destination: string | null, jobs: readonly JobToAdd[], signal: AbortSignal | undefined) => {
    for (let added = 0; added < jobs.length; ) {
      signal?.throwIfAborted();
      const free = await waitForRoom(destination, signal);
      const group = jobs.slice(added, added + free);
      await addGroup(queue, group);
      added += group.length;
    }
  };
  return {
    /** Each destination by itself, so that one that is full holds back only its own. */
    add: async (jobs: readonly JobToAdd[], signal: AbortSignal | undefined) => {
      const all = [...byDestination(jobs)].map(([destination, its]) => addAll(destination, its, signal));
      const failed = (await Promise.allSettled(all)).find((end) => end.status === "rejected");
      if (failed !== undefined) throw asClientError(failed.reason);
    },
    close: async () => {
      await queue.close();
      redis.disconnect();
    },
  };
}

function byDestination(jobs: readonly JobToAdd[]): ReadonlyMap<string | null, JobToAdd[]> {
  const all = new Map<string | null, JobToAdd[]>();
  for (const job of jobs) {
    const destination = job.job.destination ?? null;
    const its = all.get(destination);
    if (its === undefined) all.set(destination, [job]);
    else its.push(job);
  }
  return all;
}

async function addGroup(queue: Queue, group: readonly JobToAdd[]): Promise<void> {
  await queue.addBulk(
    group.map(({ job, jobId }) => ({
      name: IMAGE_JOB,
      data: job,
      opts: { jobId, ...(job.priority === "interactive" ? {} : { priority: BATCH_PRIORITY }) },
    })),
  );
}

/** What the driver throws is Redis's fault, or its way's. */
function asClientError(error: unknown): unknown {
  const isOurs = error instanceof CardbatchClientError || (error instanceof Error && error.name === "AbortError");
  if (isOurs) return error;
  const message = "Redis did not take all of the jobs; adding them again is harmless";
  return new CardbatchClientError("redis-unavailable", message, { cause: error });
}
