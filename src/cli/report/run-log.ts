import type { RunProgress } from "../../app/watch-run.js";
import type { ProviderName } from "../../domain/answer.js";
import type { CardbatchEvent } from "../../domain/events.js";
import { createLatencies, type Latency } from "./latencies.js";
import { createTimeline, type TimelinePoint } from "./timeline.js";

/** What a run's report tells besides its summary. It takes up no more for a larger archive. */
export interface RunStory {
  readonly points: readonly TimelinePoint[];
  readonly latencies: readonly Latency[];
  /** Of this process's calls, how many ended how: `ok`, `no-card`, or a code. */
  readonly results: ReadonlyMap<ProviderName, ReadonlyMap<string, number>>;
  /** Why pages went to review or were rejected in this process, and how many. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly golden: Golden;
}

export interface Golden {
  readonly cards: number;
  readonly wrong: number;
  readonly wrongAccepts: number;
  readonly calls: number;
  readonly billableCalls: number;
}

export interface RunLog {
  observe(event: CardbatchEvent): void;
  show(progress: Pick<RunProgress, "counts" | "allowedRate">): void;
  story(): RunStory;
}

/** @param now milliseconds of a clock that only goes forward */
export function createRunLog(now: () => number = () => performance.now()): RunLog {
  const timeline = createTimeline();
  const latencies = createLatencies();
  const results = new Map<ProviderName, Map<string, number>>();
  const reasons = new Map<string, number>();
  const golden = { cards: 0, wrong: 0, wrongAccepts: 0, calls: 0, billableCalls: 0 };
  const startMs = now();
  return {
    observe: (event) => {
      if (event.type === "called" && event.isGolden === true) {
        golden.calls++;
        if (event.billable) golden.billableCalls++;
      } else if (event.type === "called") {
        latencies.add(event.provider, event.durationMs);
        const its = results.get(event.provider) ?? new Map<string, number>();
        results.set(event.provider, its);
        add(its, event.result);
      } else if (event.type === "finished") {
        if (event.record.outcome !== "review" && event.record.outcome !== "rejected") return;
        for (const reason of event.record.reasons) add(reasons, reason);
      } else if (event.type === "golden") {
        golden.cards++;
        if (event.match !== "exact") golden.wrong++;
        if (event.match !== "exact" && event.isAccepted) golden.wrongAccepts++;
      }
    },
    show: ({ counts, allowedRate }) => {
      const calls = Object.values(counts.providers).reduce((sum, its) => sum + its.calls, 0);
      timeline.add({ atMs: now() - startMs, calls, pages: counts.found - counts.pending, allowedRate });
    },
    story: () => ({ points: timeline.points(), latencies: latencies.list(), results, reasons, golden }),
  };
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
