import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** Keys looked at to tell how many are answers; where there are no more, the count is exact. */
const MOST_SCANNED = 20_000;
const SCAN_PAGE = 1000;
/** Answers, and buckets of marks, that are weighed. */
const WEIGHED = 64;

/** What the ledger takes up in Redis. */
export interface LedgerCost {
  readonly answers: number;
  readonly answerBytes: number;
  /** On the average of those that were weighed. */
  readonly bytesPerAnswer: number;
  /** Counted one by one, not estimated from a sample. */
  readonly exact: boolean;
}

/** Weighs the answers that are kept, by a sample where there are many. */
export async function weighAnswers(redis: Redis, keys: Keys): Promise<LedgerCost> {
  const prefix = keys.answer("");
  const total = await redis.dbsize();
  // While its table grows Redis tells some keys twice.
  const seen = new Set<string>();
  let cursor = "0";
  do {
    const [next, names] = await redis.scan(cursor, "COUNT", SCAN_PAGE);
    cursor = next;
    for (const name of names) seen.add(name);
  } while (cursor !== "0" && seen.size < MOST_SCANNED);
  const exact = cursor === "0";
  const found = [...seen].filter((name) => name.startsWith(prefix));
  const answers = exact ? found.length : Math.round((found.length / Math.max(seen.size, 1)) * total);
  const bytesPerAnswer = mean(await weigh(redis, found.slice(0, WEIGHED)));
  return { answers, answerBytes: Math.round(answers * bytesPerAnswer), bytesPerAnswer, exact };
}

/** Bytes of a batch's marks, by a sample of their buckets. */
export async function weighMarks(redis: Redis, keys: Keys, batch: string): Promise<number> {
  const all = [...keys.marks(batch)];
  const step = Math.max(Math.floor(all.length / (2 * WEIGHED)), 1);
  // Requests, images and files take turns: a step that three does not divide meets all of them.
  const sample = all.filter((_, i) => i % (step % 3 === 0 ? step + 1 : step) === 0);
  const sizes = await weigh(redis, sample);
  return Math.round(mean(sizes) * all.length);
}

async function weigh(redis: Redis, names: readonly string[]): Promise<number[]> {
  const pipeline = redis.pipeline();
  for (const name of names) pipeline.memory("USAGE", name, "SAMPLES", 0);
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([, bytes]) => Number(bytes ?? 0));
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
