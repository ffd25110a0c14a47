import type { ProviderName } from "../../domain/answer.js";

/** How long a provider's calls took. @unit milliseconds */
export interface Latency {
  readonly provider: ProviderName;
  readonly calls: number;
  /** Within 2.5 % of what they are. */
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Each bucket ends so much above the one before. */
const STEP = Math.log(1.05);

/** Latencies of any number of calls in a few hundred counters. */
export function createLatencies() {
  const byProvider = new Map<ProviderName, { readonly buckets: number[]; calls: number; max: number }>();
  return {
    add: (provider: ProviderName, ms: number) => {
      const its = byProvider.get(provider) ?? { buckets: [], calls: 0, max: 0 };
      byProvider.set(provider, its);
      const bucket = Math.floor(Math.log(Math.max(ms, 1)) / STEP);
      its.buckets[bucket] = (its.buckets[bucket] ?? 0) + 1;
      its.calls++;
      its.max = Math.max(its.max, ms);
    },
    list: (): Latency[] =>
      [...byProvider].map(([provider, { buckets, calls, max }]) => {
        const at = (share: number) => Math.min(quantile(buckets, share * calls), max);
        return { provider, calls, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max };
      }),
  };
}

/** The middle of the bucket that the `rank`-th smallest is in. */
function quantile(buckets: readonly (number | undefined)[], rank: number): number {
  let seen = 0;
  for (const [bucket, count = 0] of buckets.entries()) {
    seen += count;
    if (seen >= rank) return Math.exp((bucket + 0.5) * STEP);
  }
  return 0;
}
