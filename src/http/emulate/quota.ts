const WINDOW_MS = 1000;

/** So many calls in any second, over everything; a refused call does not count. */
export interface Quota {
  /** @returns whether this call may pass; counts it if so */
  admit(nowMs: number): boolean;
  /** Null: no limit. */
  limit(): number | null;
  setLimit(callsPerSecond: number | null): void;
}

export function createQuota(callsPerSecond: number | null): Quota {
  let limit = callsPerSecond;
  /** When the calls of the last second were admitted, oldest first. */
  let admitted: number[] = [];
  let oldest = 0;
  return {
    admit(nowMs) {
      while ((admitted[oldest] ?? Number.POSITIVE_INFINITY) <= nowMs - WINDOW_MS) oldest++;
      if (oldest > 1000) {
        admitted = admitted.slice(oldest);
        oldest = 0;
      }
      if (limit !== null && admitted.length - oldest >= limit) return false;
      admitted.push(nowMs);
      return true;
    },
    limit: () => limit,
    setLimit(next) {
      limit = next;
    },
  };
}
