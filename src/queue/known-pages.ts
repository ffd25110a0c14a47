import { type AnswerKey, answerKey, type ProviderName } from "../domain/answer.js";
import type { Admission } from "../domain/batch.js";
import type { PreviewedBatch } from "./batches.js";
import type { Keys } from "./keys.js";
import { imagePart, isDone, NEW_MARK } from "./mark.js";
import type { Redis } from "./redis.js";

/**
 * - `done`: it has its outcome.
 * - `answered`: its answer is stored, or an outcome from before stands for it; it takes no call.
 * - `unknown`: it takes a call.
 */
export type PageState = "done" | "answered" | "unknown";

export interface FirstAsked {
  readonly provider: ProviderName;
  /** The vendor options that change what it answers. */
  readonly answerOptions: string;
}

/** What the ledger would say of pages if they were enqueued; changes nothing. */
export async function lookUpPages(
  redis: Redis,
  keys: Keys,
  previewed: PreviewedBatch,
  first: FirstAsked,
  pages: readonly Admission[],
): Promise<PageState[]> {
  const { name } = previewed.batch;
  const since = previewed.askedSince(first.provider);
  const pipeline = redis.pipeline();
  for (const page of pages) {
    pipeline.hget(keys.requests(name, page.request), page.request);
    pipeline.getrange(keys.answer(answerKeyOf(page, first)), 0, TIME_LENGTH - 1);
  }
  const replies = (await pipeline.exec()) ?? [];
  return pages.map((page, i) => {
    const [, mark] = replies[2 * i] ?? [];
    const [, stored] = replies[2 * i + 1] ?? [];
    return stateOf(page, String(mark ?? NEW_MARK), String(stored ?? ""), since, previewed);
  });
}

/** An answer begins with when it was stored: `1700000000000|`. */
const TIME_LENGTH = 16;

function answerKeyOf({ imageKey, page }: Admission, { provider, answerOptions }: FirstAsked): AnswerKey {
  return imageKey === null ? "" : answerKey(imageKey, page, provider, answerOptions);
}

/** As the script of a claim decides. */
function stateOf(page: Admission, mark: string, stored: string, since: string, { batch }: PreviewedBatch): PageState {
  if (isDone(mark, batch.generation, page.imageKey)) return "done";
  const storedAtMs = Number.parseInt(stored, 10);
  if (storedAtMs >= batch.refreshSinceMs) return "answered";
  const [outcome = "-", recorded = "-"] = mark;
  const isSameImage = mark.slice(3) === imagePart(page.imageKey);
  const canBeBehind = recorded === "-" ? batch.refreshSinceMs === 0 : recorded >= since;
  const stands = stored === "" && isSameImage && outcome !== "-" && outcome !== "f" && canBeBehind;
  return stands ? "answered" : "unknown";
}
