import type { CallLimits } from "../../src/domain/pace.js";
import type { Keys } from "../../src/queue/keys.js";
import { AGREE, OVERRIDE } from "../../src/queue/pace-scripts/agree.js";
import { REPORT } from "../../src/queue/pace-scripts/report.js";
import { TAKE } from "../../src/queue/pace-scripts/take.js";
import { loadScript, type Redis } from "../../src/queue/redis.js";

export type VendorAnswer = "ok" | "throttled" | "failed";

/** A call that went out, and what came of it. @unit milliseconds of virtual time */
export interface VirtualCall {
  readonly atMs: number;
  readonly answer: VendorAnswer;
  readonly isProbe: boolean;
  readonly process: number;
}

export interface VirtualFleetOptions {
  readonly account: string;
  readonly limits: Partial<CallLimits>;
  readonly burst?: number;
  readonly processes?: number;
  /** Calls that each process wants to have under way or ahead of it. */
  readonly concurrency?: number;
  readonly latencyMs?: number;
  /** What the vendor says to a call at a time; it may look at the calls before. */
  readonly vendor: (atMs: number, before: readonly VirtualCall[]) => VendorAnswer;
  readonly retryAfterMs?: number | null;
}

export interface VirtualFleet {
  readonly calls: readonly VirtualCall[];
  nowMs(): number;
  runUntil(atMs: number): Promise<void>;
  rate(): number;
  /** Runs a script of an operator or of another process at this moment. */
  override(rate: string): Promise<void>;
  changes: readonly { readonly atMs: number; readonly change: string }[];
}

const START_US = 1_800_000_000_000_000;

/**
 * Processes with endless work, the scripts on a real Redis, and a time that only this file moves: what takes minutes is over in
 * a second, and comes out the same every time.
 */
export async function startFleet(redis: Redis, keys: Keys, options: VirtualFleetOptions): Promise<VirtualFleet> {
  const { account, limits, burst = 1, processes = 1, concurrency = 16, latencyMs = 100, vendor } = options;
  const [take, report, agree, override] = [TAKE, REPORT, AGREE, OVERRIDE].map((script) => loadScript(redis, script));
  if (!take || !report || !agree || !override) throw new Error("no scripts");
  const key = keys.pace("huawei", account);
  const [back, leases, told] = [`${key}:back`, `${key}:leases`, `${key}:told`];
  let nowUs = START_US;
  let rate = 0;
  const calls: VirtualCall[] = [];
  const changes: { atMs: number; change: string }[] = [];
  const events: { atUs: number; run: () => Promise<void> }[] = [];
  const busy = Array.from({ length: processes }, () => 0);
  /** Calls that worked and that the scripts have not been told of: that goes along with the next question. */
  const worked = Array.from({ length: processes }, () => 0);
  let lastOkUs = 0;
  const takeWorked = (process: number) => {
    const count = worked[process] ?? 0;
    worked[process] = 0;
    return count;
  };
  const isAsking = Array.from({ length: processes }, () => false);
  const ms = () => (nowUs - START_US) / 1000;
  const at = (atUs: number, run: () => Promise<void>) => void events.push({ atUs: Math.max(atUs, nowUs), run });
  const all = { perSecond: "auto", perMinute: null, perDay: null, inFlight: null, ...limits };
  for (let i = 0; i < processes; i++) {
    await agree(key, back, told, nowUs, 1e12, `p${i}`, JSON.stringify(all));
    await redis.set(keys.owner(`p${i}`), "1");
  }

  const ask = (process: number) => {
    if (isAsking[process]) return;
    isAsking[process] = true;
    at(nowUs, async () => {
      isAsking[process] = false;
      const want = concurrency - (busy[process] ?? 0);
      if (want <= 0) return;
      const [kind, waitUs, , rateNow, epoch, , isProbe, , , ...times] = (await take(
        ...[key, back, leases, `${key}:minute`, `${key}:day`],
        ...[
          nowUs,
          `p${process}`,
          keys.owner(""),
          Math.min(want, 16),
          0,
          takeWorked(process),
          lastOkUs,
          burst,
          30_000_000,
        ],
      )) as [string, number, string, string, number, string, number, number, number, ...string[]];
      rate = Number(rateNow);
      if (kind !== "slots") return at(nowUs + Math.max(waitUs, 1000), async () => ask(process));
      for (const time of times) {
        busy[process] = (busy[process] ?? 0) + 1;
        at(Number(time), () => send(process, Number(time), epoch, isProbe === 1));
      }
      ask(process);
    });
  };

  const send = async (process: number, slotUs: number, epoch: number, isProbe: boolean) => {
    const end = async (kind: string, retryAfter: number | "", code: string) => {
      busy[process] = (busy[process] ?? 0) - 1;
      if (kind === "ok") lastOkUs = Math.max(lastOkUs, slotUs);
      if (kind === "ok") worked[process] = (worked[process] ?? 0) + 1;
      if (kind === "ok" && !isProbe && all.inFlight === null) return ask(process);
      const [change] = (await report(
        ...[key, back, leases],
        ...[
          nowUs,
          `p${process}`,
          kind,
          slotUs,
          epoch,
          isProbe ? 1 : 0,
          retryAfter,
          code,
          takeWorked(process),
          lastOkUs,
        ],
      )) as [string];
      if (change !== "") changes.push({ atMs: ms(), change });
      ask(process);
    };
    if (Number((await redis.hget(key, "epoch")) ?? "0") !== epoch) return end("void", "", "");
    const answer = vendor(ms(), calls);
    calls.push({ atMs: ms(), answer, isProbe, process });
    const retryAfter = answer === "throttled" && options.retryAfterMs ? options.retryAfterMs * 1000 : "";
    at(nowUs + latencyMs * 1000, () => end(answer, retryAfter, answer === "failed" ? "provider-unavailable" : ""));
  };

  for (let i = 0; i < processes; i++) ask(i);
  return {
    calls,
    changes,
    nowMs: ms,
    rate: () => rate,
    override: async (to) => void (await override(key, back, told, nowUs, 1e12, to)),
    runUntil: async (untilMs) => {
      const untilUs = START_US + untilMs * 1000;
      for (;;) {
        events.sort((a, b) => a.atUs - b.atUs);
        const next = events[0];
        if (next === undefined || next.atUs > untilUs) break;
        events.shift();
        nowUs = next.atUs;
        await next.run();
      }
      nowUs = untilUs;
    },
  };
}

/** A vendor that admits so many calls in any second, as a function of time. */
export function slidingLimit(limit: (atMs: number) => number) {
  return (atMs: number, before: readonly VirtualCall[]): VendorAnswer => {
    let admitted = 0;
    for (let i = before.length - 1; i >= 0; i--) {
      const call = before[i];
      if (call === undefined || call.atMs <= atMs - 1000) break;
      if (call.answer === "ok") admitted++;
    }
    return admitted < limit(atMs) ? "ok" : "throttled";
  };
}

/** The most of these moments that any window of so many ms holds. */
export function mostWithin(moments: readonly number[], windowMs: number): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  sorted.forEach((moment, last) => {
    while (moment - (sorted[first] ?? 0) >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  });
  return most;
}
