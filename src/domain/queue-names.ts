import type { RequestId } from "./payload.js";
import type { OutcomeStream } from "./record.js";

/** What every name in Redis begins with, unless it is configured otherwise. */
export const DEFAULT_PREFIX = "{cardbatch}";
export const IMAGE_QUEUE = "card-images";
/** What its jobs are called. */
export const IMAGE_JOB = "image";

/** Events of the queues are nobody's concern, and each entry costs memory; BullMQ keeps 10,000 unless every opener says otherwise. */
export const EVENT_STREAM = { events: { maxLen: 100 } };

/** BullMQ takes jobs without a priority first: that is where single requests go, ahead of any batch. */
export const BATCH_PRIORITY = 10;

/** The queue of a destination's outcomes; null: of those that named none. */
export function outcomeQueueName(stream: OutcomeStream, destination: string | null): string {
  return destination === null ? `card-${stream}` : `card-${stream}.${destination}`;
}

/**
 * The queue's name for a job, by which enqueuing twice what still waits is nothing. A job that names no page stands for all of
 * its image, and must not be in the way of its first.
 * @param request of the page, or of the first
 */
export function jobId(request: RequestId, page: number | undefined): string {
  return page === undefined ? `${request}_pages` : request;
}
