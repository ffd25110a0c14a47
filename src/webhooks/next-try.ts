import type { PostResult } from "./post.js";

/** After which tries how long is waited. @unit milliseconds */
const WAITS_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000];
/** What was not taken in this time is given up until it is replayed. @unit milliseconds */
export const GIVEN_UP_MS = 24 * 3_600_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;
const GONE = 410;

/** What happens to a delivery after a try. */
export type NextTry =
  | { readonly kind: "done" }
  | { readonly kind: "later"; readonly delayMs: number; readonly reason: string }
  | { readonly kind: "park"; readonly reason: string };

/**
 * @param attempts tries before this one
 * @param ageMs since the delivery was due first
 */
export function nextTry(result: PostResult, attempts: number, ageMs: number, random: () => number): NextTry {
  if (result.kind === "taken") return { kind: "done" };
  const reason = describe(result);
  // An address that is forbidden, or that says it is gone for good, does not change by asking again.
  if (result.kind === "forbidden" || (result.kind === "refused" && result.status === GONE))
    return { kind: "park", reason };
  const waitMs = WAITS_MS[Math.min(attempts, WAITS_MS.length - 1)] ?? 0;
  const askedMs = result.kind === "refused" ? Math.min(result.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0;
  // Spread, so that a receiver that is back is not met by all at once.
  const delayMs = Math.max(askedMs, Math.round(waitMs * (0.8 + 0.4 * random())));
  return ageMs + delayMs > GIVEN_UP_MS ? { kind: "park", reason } : { kind: "later", delayMs, reason };
}

function describe(result: Exclude<PostResult, { readonly kind: "taken" }>): string {
  if (result.kind !== "refused") return result.reason;
  const isRedirect = result.status >= 300 && result.status < 400;
  return `answered ${result.status}${isRedirect ? "; redirects are not followed" : ""}`;
}
