/**
 * Reads the outcomes of one destination. An outcome is *waiting*, then *in hand* while the handler has it, and gone once the
 * handler resolves. A handler that rejects gets it again later; so does somebody else when this process dies or loses its hold
 * on it. What is of another version, or no outcome at all, stays: put off, looked at again, never handed out.
 */
import type { Job, Worker } from "bullmq";
import { DEFAULT_PREFIX, outcomeQueueName } from "../domain/queue-names.js";
import { type OutcomeRecord, recordSchema } from "../domain/record.js";
import { connect } from "./connect.js";

/** A dead process's outcomes are somebody else's after this and one check. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5000;
/** BullMQ would throw an outcome away whose consumers died twice. */
const NEVER_BY_STALLS = 1_000_000;
const FIRST_AGAIN_MS = 1000;
const LONGEST_AGAIN_MS = 60_000;
const UNKNOWN_VERSION_MS = 10 * 60_000;

export interface ConsumerOptions {
  /** `redis://…` or `rediss://…`, the Redis of the workers. */
  readonly redisUrl: string;
  /** Whose outcomes; null: those of jobs that named none. It must have no other kind of reader, such as a `drain`. */
  readonly destination: string | null;
  /** As `CARDBATCH_PREFIX` of the workers. @default "{cardbatch}" */
  readonly prefix?: string;
  /** Outcomes in hand at a time, of each of the two queues. @default 8 */
  readonly concurrency?: number;
  /** Hears of what goes wrong beside the outcomes in hand; the consumer goes on by itself. @default nobody does */
  readonly onTrouble?: (trouble: ConsumerTrouble) => void;
}

/** `handler-failed`: it comes again. `unknown-version`: it is left for somebody who knows it. `queue`: Redis, or the way to it. */
export interface ConsumerTrouble {
  readonly kind: "handler-failed" | "unknown-version" | "queue";
  readonly error: unknown;
}

export interface Delivery {
  /** Fires when the outcome is somebody else's meanwhile: what the handler does from then on may be done twice. */
  readonly signal: AbortSignal;
  /** From 1; more than that, and it may have been handled before. */
  readonly attempt: number;
}

/** Takes one outcome; when it resolves the outcome is gone. At least once each: the same `request` may come again. */
export type OutcomeHandler = (outcome: OutcomeRecord, delivery: Delivery) => Promise<void>;

export interface Consumer {
  /** Takes no more, lets handlers under way come to an end, and closes. */
  close(): Promise<void>;
}

/** Starts at once. */
export function consumeResults(options: ConsumerOptions, handler: OutcomeHandler): Consumer {
  const trouble = (kind: ConsumerTrouble["kind"], error: unknown) => options.onTrouble?.({ kind, error });
  const opening = open(options, handler, trouble);
  opening.catch((error: unknown) => trouble("queue", error));
  return { close: async () => (await opening).close() };
}

type Tell = (kind: ConsumerTrouble["kind"], error: unknown) => void;

async function open(
  { redisUrl, destination, prefix = DEFAULT_PREFIX, concurrency = 8 }: ConsumerOptions,
  handler: OutcomeHandler,
  tell: Tell,
): Promise<Consumer> {
  const { Worker, DelayedError } = await import("bullmq");
  const onError = (error: Error) => tell("queue", error);
  const redis = await connect({ redisUrl, name: "cardbatch-consumer", retries: null, onError });
  const openWorker = (stream: "results" | "failures"): Worker => {
    const inHand = new Map<string, AbortController>();
    const take = async (job: Job, token?: string): Promise<void> => {
      const againMs = await deliver(job, inHand, handler, tell);
      if (againMs === null) return;
      await job.moveToDelayed(Date.now() + againMs, token);
      throw new DelayedError();
    };
    const worker = new Worker(outcomeQueueName(stream, destination), take, {
      connection: redis,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER_BY_STALLS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    worker.on("error", onError);
    worker.on("lockRenewalFailed", (jobs) => {
      for (const id of jobs) inHand.get(id)?.abort();
    });
    return worker;
  };
  const workers = [openWorker("results"), openWorker("failures")];
  return {
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      redis.disconnect();
    },
  };
}

/** @returns null when it was handled; else when it is to come again. @unit milliseconds */
async function deliver(
  job: Job,
  inHand: Map<string, AbortController>,
  handler: OutcomeHandler,
  tell: Tell,
): Promise<number | null> {
  const parsed = recordSchema.safeParse(job.data);
  if (!parsed.success) {
    tell("unknown-version", parsed.error);
    return UNKNOWN_VERSION_MS;
  }
  const attempt = job.attemptsStarted;
  const lost = new AbortController();
  inHand.set(job.id ?? "", lost);
  try {
    await handler(parsed.data, { signal: lost.signal, attempt });
    return null;
  } catch (error) {
    tell("handler-failed", error);
    return Math.min(FIRST_AGAIN_MS * 2 ** (attempt - 1), LONGEST_AGAIN_MS);
  } finally {
    inHand.delete(job.id ?? "");
  }
}
