import type { FaultAction, FaultRule, Faults } from "./faults.js";

export type FaultTarget = "huawei" | "shiliuai" | "iam";

/** Decides which fault each call meets. */
export interface FaultPlan {
  /** Counts a call and says what happens to it; null: nothing. */
  next(target: FaultTarget, nowMs: number): FaultAction | null;
}

/** @param startMs what `time` in the rules counts from, on the clock of `next` */
export function createFaultPlan(faults: Faults, startMs: number): FaultPlan {
  const random = seededRandom(faults.seed);
  const fired = new Map<FaultRule, number>();
  const seen = { huawei: 0, shiliuai: 0, iam: 0 };

  function holds(rule: FaultRule, target: FaultTarget, elapsedMs: number): boolean {
    if (rule.on === undefined ? target === "iam" : rule.on !== target) return false;
    const number = rule.on === undefined ? seen.huawei + seen.shiliuai : seen[target];
    const { from = 1, to = Number.POSITIVE_INFINITY } = rule.calls ?? {};
    const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = rule.time ?? {};
    if (number < from || number > to || elapsedMs < fromMs || elapsedMs >= toMs) return false;
    return (fired.get(rule) ?? 0) < (rule.times ?? Number.POSITIVE_INFINITY);
  }

  return {
    next(target, nowMs) {
      seen[target]++;
      let draw = random();
      for (const rule of faults.rules) {
        if (!holds(rule, target, nowMs - startMs)) continue;
        if (draw < rule.probability) {
          fired.set(rule, (fired.get(rule) ?? 0) + 1);
          return rule.do;
        }
        draw -= rule.probability;
      }
      return null;
    },
  };
}

/** 0 up to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
