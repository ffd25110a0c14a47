import type { ImageKey } from "./image.js";
import { VERDICTS } from "./reading.js";
import type { OutcomeRecord, RecordCard } from "./record.js";

/** What a person made of a page in review. */
export const DECISIONS = ["confirmed", "corrected", "rejected"] as const;
export type Decision = (typeof DECISIONS)[number];

/** A person's decision about a request: it stands over what the machine says of this very image, now or when it is judged again. */
export interface Review {
  readonly imageKey: ImageKey;
  readonly decision: Decision;
  readonly by: string;
  /** ISO 8601 */
  readonly at: string;
  /** The person's; none where it was rejected. */
  readonly cards: readonly RecordCard[];
}

/** The machine's outcome with a person's decision over it; as it is where that is about another image. */
export function withReview(record: OutcomeRecord, review: Review): OutcomeRecord {
  const { outcome, reasons, cards } = record;
  const isVerdict = VERDICTS.some((verdict) => verdict === outcome);
  if (!isVerdict || record.image.key !== review.imageKey) return record;
  const { decision, by, at } = review;
  return {
    ...record,
    outcome: decision === "rejected" ? "rejected" : "accepted",
    reasons: [],
    cards: review.cards,
    finishedAt: record.finishedAt > at ? record.finishedAt : at,
    review: { decision, by, at, machine: { outcome, reasons, cards } },
  };
}

/** What the machine alone made of it. */
export function withoutReview({ review, ...record }: OutcomeRecord): OutcomeRecord {
  return review === undefined ? record : { ...record, ...review.machine };
}
