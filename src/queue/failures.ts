import { IMAGE_QUEUE, outcomeQueueName } from "../domain/queue-names.js";
import { type KeptFailure, parseFailure } from "./kept-failure.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/** What is kept of a batch's failures, in memory that does not grow with them. One that comes while they are read may come twice. */
export async function* readFailures(redis: Redis, keys: Keys, batch: string): AsyncGenerator<KeptFailure[]> {
  const scan = redis.hscanStream(keys.failures(batch), { count: 500 });
  for await (const fields of scan as AsyncIterable<string[]>) {
    const kept: KeptFailure[] = [];
    for (let i = 0; i < fields.length; i += 2) {
      const failure = parseFailure(fields[i] ?? "", fields[i + 1] ?? "null");
      if (failure !== null) kept.push(failure);
    }
    if (kept.length > 0) yield kept;
  }
}

/**
 * Has a failed request stand as not done, so that its job is worked on: its outcome counts until there is another.
 * KEYS: batch, requests, failures, its job on card-images. ARGV: request, what its outcomes' keys begin with.
 * An outcome that is still on its queue has the name that the next one would have, and what has a job comes to an outcome anyway.
 */
const REOPEN = {
  name: "cardbatchReopen",
  keys: 4,
  lua: `
    local mark = redis.call('HGET', KEYS[2], ARGV[1])
    if not mark or redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then return 'gone' end
    if redis.call('EXISTS', KEYS[4]) == 1 then return 'under-way' end
    local recorded, published = string.sub(mark, 2, 2), string.sub(mark, 3, 3)
    if published ~= '-' and redis.call('EXISTS', ARGV[2] .. published) == 1 then return 'under-way' end
    if recorded ~= '-' then redis.call('HINCRBY', KEYS[1], 'recorded:' .. recorded, -1) end
    redis.call('HSET', KEYS[2], ARGV[1], string.sub(mark, 1, 1) .. '--' .. string.sub(mark, 4))
    return 'open'`,
};

/**
 * - `open`: it is not done any more; enqueue its job.
 * - `under-way`: it has a job, or its outcome is not taken off its queue yet.
 * - `gone`: it has another outcome by now.
 */
export type Reopened = "open" | "under-way" | "gone";

/** Reopens failed requests, so that they can be enqueued once more. */
export function createReopen(redis: Redis, keys: Keys) {
  const reopen = loadScript(redis, REOPEN);
  return (batch: string, { request }: KeptFailure, destination: string | null): Promise<Reopened> => {
    const names = [keys.batch(batch), keys.requests(batch, request), keys.failures(batch)];
    const job = `${keys.prefix}:${IMAGE_QUEUE}:${request}`;
    const outcomes = `${keys.prefix}:${outcomeQueueName("failures", destination)}:${request}_`;
    return reopen(...names, job, request, outcomes) as Promise<Reopened>;
  };
}
