/** Where a batch stood at a moment of its run. Counts are over all runs. */
export interface Standing {
  /** Since the run began. */
  readonly atMs: number;
  readonly calls: number;
  /** With an outcome. */
  readonly pages: number;
  /** Calls a second; null: not limited. */
  readonly allowedRate: number | null;
}

/** A stretch of the run, with what it brought. */
export interface TimelinePoint {
  readonly fromMs: number;
  readonly toMs: number;
  readonly callsPerSecond: number;
  readonly pagesPerSecond: number;
  /** The mean of what was allowed; null: not limited. */
  readonly allowedRate: number | null;
}

/** Twice as many stretches as are kept at the least; then two become one. */
const MOST = 240;
const FIRST_MS = 1000;

/** The course of a run of any length in at most 240 stretches. */
export function createTimeline() {
  let stretchMs = FIRST_MS;
  let ends: Standing[] = [];
  let last: Standing | null = null;
  return {
    add: (standing: Standing) => {
      last = standing;
      const before = ends.at(-1);
      if (before !== undefined && standing.atMs - before.atMs < stretchMs) return;
      ends.push(standing);
      if (ends.length <= MOST) return;
      ends = ends.filter((_, i) => i % 2 === 0);
      stretchMs *= 2;
    },
    points: (): TimelinePoint[] => {
      const all = last === null || last === ends.at(-1) ? ends : [...ends, last];
      return all.slice(1).map((to, i) => between(all[i] ?? to, to));
    },
  };
}

function between(from: Standing, to: Standing): TimelinePoint {
  const seconds = Math.max(to.atMs - from.atMs, 1) / 1000;
  const rates = [from.allowedRate, to.allowedRate].filter((rate) => rate !== null);
  return {
    fromMs: from.atMs,
    toMs: to.atMs,
    callsPerSecond: (to.calls - from.calls) / seconds,
    pagesPerSecond: (to.pages - from.pages) / seconds,
    allowedRate: rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
  };
}
