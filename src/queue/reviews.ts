import type { OutcomeRecord } from "../domain/record.js";
import { rememberedBy } from "../domain/remembered.js";
import { type Review, withReview } from "../domain/review.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** How stale what is known of a batch having any may be. @unit milliseconds */
const KNOWN_MS = 1000;

/** What people decided, by batch and request. */
export interface Reviews {
  /** As many as people have decided: no matter for memory. */
  put(batch: string, reviews: ReadonlyMap<string, Review>): Promise<void>;
  /** The outcome as it stands with the decision about its request, if there is one. */
  apply(record: OutcomeRecord): Promise<OutcomeRecord>;
}

export function createReviews(redis: Redis, keys: Keys): Reviews {
  const hasAny = rememberedBy(async (batch) => (await redis.exists(keys.reviews(batch))) === 1, KNOWN_MS);
  return {
    put: async (batch, reviews) => {
      if (reviews.size === 0) return;
      const fields = [...reviews].map(([request, review]) => [request, JSON.stringify(review)]);
      await redis.hset(keys.reviews(batch), Object.fromEntries(fields));
    },
    apply: async (record) => {
      if (!(await hasAny(record.batch))) return record;
      const text = await redis.hget(keys.reviews(record.batch), record.request);
      return text === null ? record : withReview(record, JSON.parse(text) as Review);
    },
  };
}
