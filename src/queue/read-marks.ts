import { IMAGE_QUEUE, outcomeQueueName } from "../domain/queue-names.js";
import { OUTCOME_STREAMS } from "../domain/record.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** A request's mark, taken apart. */
export interface ReadMark {
  readonly request: string;
  /** The letter of its recorded outcome; null: none. */
  readonly letter: string | null;
  /** The generation its outcome was published in; null: it was not. */
  readonly published: string | null;
  readonly recorded: string | null;
}

/** The marks in a range of buckets of a batch's requests, `from ≤ bucket < to`. */
export async function readMarks(
  redis: Redis,
  keys: Keys,
  batch: string,
  from: number,
  to: number,
): Promise<ReadMark[]> {
  const pipeline = redis.pipeline();
  for (let bucket = from; bucket < to; bucket++) pipeline.hgetall(keys.requestBucket(batch, bucket));
  const replies = (await pipeline.exec()) ?? [];
  return replies.flatMap(([, marks]) => Object.entries(marks as Record<string, string>).map(readMark));
}

function readMark([request, mark]: [string, string]): ReadMark {
  const [letter = "-", recorded = "-", published = "-"] = mark;
  return { request, letter: known(letter), recorded: known(recorded), published: known(published) };
}

function known(character: string): string | null {
  return character === "-" ? null : character;
}

/** Which of these requests have a job on `card-images`. */
export function haveJobs(redis: Redis, keys: Keys, requests: readonly string[]): Promise<boolean[]> {
  return exist(
    redis,
    requests.map((request) => [jobKey(keys, IMAGE_QUEUE, request)]),
  );
}

/** Which of these outcomes are published, and not taken off their queue yet. */
export function areUnread(
  redis: Redis,
  keys: Keys,
  destination: string | null,
  outcomes: readonly { readonly request: string; readonly published: string | null }[],
): Promise<boolean[]> {
  return exist(
    redis,
    outcomes.map(({ request, published }) =>
      OUTCOME_STREAMS.map((stream) => jobKey(keys, outcomeQueueName(stream, destination), `${request}_${published}`)),
    ),
  );
}

/** How many superseded lines of these requests wait to be dropped, by stream. */
export async function supersededLines(
  redis: Redis,
  keys: Keys,
  sink: string,
  requests: readonly string[],
): Promise<{ readonly results: number; readonly failures: number }[]> {
  if (requests.length === 0) return [];
  const fields = requests.flatMap((request) => [`R${request}`, `F${request}`]);
  const counts = await redis.hmget(`${keys.sink(sink)}:superseded`, ...fields);
  return requests.map((_, i) => ({ results: Number(counts[2 * i] ?? 0), failures: Number(counts[2 * i + 1] ?? 0) }));
}

async function exist(redis: Redis, names: readonly (readonly string[])[]): Promise<boolean[]> {
  const pipeline = redis.pipeline();
  for (const each of names) pipeline.exists(...each);
  const replies = names.length === 0 ? [] : ((await pipeline.exec()) ?? []);
  return replies.map(([, count]) => Number(count ?? 0) > 0);
}

/** As BullMQ names the hash of a job. */
function jobKey(keys: Keys, queue: string, id: string): string {
  return `${keys.prefix}:${queue}:${id}`;
}
