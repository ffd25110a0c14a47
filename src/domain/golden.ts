import type { ProviderName } from "./answer.js";

/** What became of a golden image's number: every digit right, another number, or none. */
export const GOLDEN_MATCHES = ["exact", "wrong", "missing"] as const;
export type GoldenMatch = (typeof GOLDEN_MATCHES)[number];

/** A labelled image that was called for although nobody asked, to see whether the provider still reads well. */
export interface GoldenReading {
  readonly provider: ProviderName;
  readonly match: GoldenMatch;
  /** It would have been accepted without a person looking. */
  readonly isAccepted: boolean;
}
