import { Queue } from "bullmq";
import type { ImageJob } from "../domain/payload.js";
import { EVENT_STREAM, outcomeQueueName } from "../domain/queue-names.js";
import { OUTCOME_STREAMS, type OutcomeRecord, type OutcomeStream, streamOf } from "../domain/record.js";
import { rememberedBy } from "../domain/remembered.js";
import { keepFailure } from "./kept-failure.js";
import type { Keys } from "./keys.js";
import { imagePart, NEW_MARK } from "./mark.js";
import { loadScript, type Redis } from "./redis.js";

/** How stale the count of unread outcomes may be. @unit milliseconds */
const COUNT_KEPT_MS = 500;

/** What is known of a batch's failures is forgotten when so long nothing of it has failed. */
const FAILURES_KEPT_MS = 30 * 24 * 3600_000;

/**
 * KEYS: batch, requests, failures. ARGV: request, generation, image part, what is kept of a failure ("": it did not fail).
 * A request nobody admitted is found now.
 */
const MARK_PUBLISHED = {
  name: "cardbatchMarkPublished",
  keys: 3,
  lua: `
    if ARGV[4] == '' then
      redis.call('HDEL', KEYS[3], ARGV[1])
    else
      redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
      redis.call('PEXPIRE', KEYS[3], ${FAILURES_KEPT_MS})
    end
    local mark = redis.call('HGET', KEYS[2], ARGV[1])
    if not mark then redis.call('HINCRBY', KEYS[1], 'found', 1) end
    redis.call('HSET', KEYS[2], ARGV[1], string.sub(mark or '${NEW_MARK}', 1, 2) .. ARGV[2] .. ARGV[3])`,
};

/** An outcome on its queue. */
export interface OutcomeJob {
  /** What the names of the queue's keys begin with. */
  readonly queue: string;
  readonly id: string;
}

/** The result and failure queues of all destinations, from the side that fills them. */
export interface Outcomes {
  /**
   * Hands an outcome to its destination and marks the request as answered for; twice is harmless.
   * @param job what to enqueue should the request be tried again; null: that cannot be said
   */
  publish(record: OutcomeRecord, destination: string | null, generation: string, job?: ImageJob | null): Promise<void>;
  /** Whether so many outcomes of this destination are unread that its jobs have to wait. */
  isFull(destination: string | null): Promise<boolean>;
  /** Outcomes of a destination that nobody has recorded yet. */
  unread(destination: string | null): Promise<number>;
  close(): Promise<void>;
}

export function createOutcomes(redis: Redis, keys: Keys, backlog: number): Outcomes {
  const queues = new Map<string, Queue>();
  const markPublished = loadScript(redis, MARK_PUBLISHED);

  const queue = (stream: OutcomeStream, destination: string | null) => {
    const name = outcomeQueueName(stream, destination);
    const open = queues.get(name);
    if (open !== undefined) return open;
    const made = new Queue(name, { connection: redis, prefix: keys.prefix, streams: EVENT_STREAM });
    made.on("error", () => {});
    queues.set(name, made);
    return made;
  };

  const countUnread = async (destination: string | null) => {
    let total = 0;
    for (const stream of OUTCOME_STREAMS) {
      const counts = await queue(stream, destination).getJobCounts("wait", "active", "delayed", "prioritized");
      total += Object.values(counts).reduce((sum, value) => sum + value, 0);
    }
    return total;
  };
  const isFull = rememberedBy(async (name) => (await countUnread(name === "" ? null : name)) > backlog, COUNT_KEPT_MS);

  return {
    publish: async (record, destination, generation, job = null) => {
      // The id keeps an outcome that is published twice, unread, from being there twice.
      const jobId = `${record.request}_${generation}`;
      const target = queue(streamOf(record.outcome), destination);
      await target.add("outcome", record, { jobId, removeOnComplete: true, removeOnFail: true });
      const { batch, request } = record;
      const names = [keys.batch(batch), keys.requests(batch, request), keys.failures(batch)];
      const failure = record.outcome === "failed" ? keepFailure(record, job) : "";
      await markPublished(...names, request, generation, imagePart(record.image.key), failure);
    },
    isFull: (destination) => isFull(destination ?? ""),
    unread: countUnread,
    close: async () => void (await Promise.all([...queues.values()].map((each) => each.close()))),
  };
}

/** The generation that an outcome's job id carries. */
export function generationOf(jobId: string): string {
  return jobId.slice(jobId.lastIndexOf("_") + 1);
}
