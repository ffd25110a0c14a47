import type { Redis } from "ioredis";
import { outcomeQueueName } from "../domain/queue-names.js";
import { OUTCOME_STREAMS } from "../domain/record.js";

/** Counts the outcomes of a destination that nobody has acknowledged yet. */
export function createOutcomeCounter(redis: Redis, prefix: string): (destination: string | null) => Promise<number> {
  return async (destination) => {
    const pipeline = redis.pipeline();
    for (const stream of OUTCOME_STREAMS) {
      const queue = `${prefix}:${outcomeQueueName(stream, destination)}`;
      pipeline.llen(`${queue}:wait`).llen(`${queue}:active`).zcard(`${queue}:delayed`);
    }
    const replies = (await pipeline.exec()) ?? [];
    return replies.reduce((sum, [error, count]) => {
      if (error !== null) throw error;
      return sum + Number(count);
    }, 0);
  };
}
