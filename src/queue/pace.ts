import { type ErrorCode, isErrorCode, ProviderError } from "../domain/errors.js";
import {
  type CallLimits,
  type CallReport,
  heldTooLong,
  type Pace,
  type PaceChange,
  type PaceState,
  type PaceWait,
  type Slot,
} from "../domain/pace.js";
import { beat } from "./beat.js";
import type { Keys } from "./keys.js";
import { AGREE } from "./pace-scripts/agree.js";
import { REPORT } from "./pace-scripts/report.js";
import { TAKE } from "./pace-scripts/take.js";
import { loadScript, type Redis } from "./redis.js";
import { createTurns, type TurnReply } from "./turns.js";

/** What a process was told counts for so long after it was last heard of. */
export const TOLD_KEPT_MS = 10_000;
const BEAT_MS = 2000;
/** A call that comes late brings the next one nearer by a quarter of the interval at the most. */
const JITTER_SHARE = 0.75;
/** A slot lasts longer than its call. */
const LEASE_MARGIN_MS = 5000;

export interface PaceOptions {
  readonly provider: string;
  readonly account: string;
  /** What this process was told; of all processes the lowest counts. */
  readonly limits: CallLimits;
  /** Calls that may go out together after a pause; 0 spaces them so that no second ever holds more than the rate. */
  readonly burst: number;
  /** When a call is given up. @unit milliseconds */
  readonly timeoutMs: number;
  /** This process, as `Presence` names it. */
  readonly presence: string;
}

/**
 * The shared limits and the shared breaker of one account. Within a process slots go to those who wait in their order;
 * between processes Redis decides.
 */
export async function createPace(redis: Redis, keys: Keys, options: PaceOptions): Promise<Pace> {
  const { provider, account, limits, burst, presence } = options;
  const key = keys.pace(provider, account);
  const [back, leases, told] = [`${key}:back`, `${key}:leases`, `${key}:told`];
  const take = loadScript(redis, TAKE);
  const report = loadScript(redis, REPORT);
  const agree = loadScript(redis, AGREE);
  const leaseUs = (options.timeoutMs + LEASE_MARGIN_MS) * 1000;
  let state: PaceState = { rate: Number.NaN, waiting: null, outage: null };
  /** Calls that worked and that Redis has not been told of. */
  let worked = { count: 0, lastUs: 0 };

  const takeWorked = () => {
    const { count, lastUs } = worked;
    worked = { count: 0, lastUs };
    return [count, lastUs] as const;
  };
  const agreeOnLimits = async () => {
    const rate = Number(await agree(key, back, told, "", TOLD_KEPT_MS, presence, JSON.stringify(limits)));
    state = { ...state, rate };
  };
  await redis.sadd(keys.paces(), `${provider} ${key}`);
  await agreeOnLimits();
  const stopBeating = beat(BEAT_MS, agreeOnLimits, () => {});

  const ask = async (want: number, urgent: number): Promise<TurnReply> => {
    const quotas = [`${key}:minute`, `${key}:day`];
    const names = [key, back, leases, ...quotas];
    const [kind, waitUs, code, rate, epoch, outage, isProbe, intervalUs, nowUs, ...times] = (await take(
      ...names,
      "",
      presence,
      keys.owner(""),
      want,
      urgent,
      ...takeWorked(),
      burst,
      leaseUs,
    )) as [string, number, string, string, number, string, number, number, number, ...string[]];
    const why = WAITS.find((known) => known === kind) ?? null;
    const waitMs = waitUs / 1000;
    const waiting = why === null ? null : { why, untilMs: Date.now() + waitMs, code: errorCode(code) };
    state = { rate: Number(rate), waiting, outage: outage === "" ? null : outage };
    if (kind === "slots") {
      return {
        kind: "slots",
        slots: times.map((time) => {
          const atUs = Number(time);
          const slot: Slot = {
            atUs,
            intervalUs,
            toleranceUs: Math.max(burst - JITTER_SHARE, 0) * intervalUs,
            epoch,
            isProbe: isProbe === 1,
          };
          return { slot, inMs: Math.max(atUs - nowUs, 0) / 1000 };
        }),
      };
    }
    if (kind === "stopped") return { kind: "refused", error: stoppedError(errorCode(code), waitMs) };
    const held = why === null ? null : heldTooLong(provider, waitMs);
    return held === null ? { kind: "later", waitMs } : { kind: "refused", error: held };
  };

  const tell = async (slot: Slot, said: CallReport) => {
    const retryAfterMs = "retryAfterMs" in said ? said.retryAfterMs : null;
    const [change, us, rate, , outage, streak] = (await report(
      key,
      back,
      leases,
      "",
      presence,
      said.kind,
      slot.atUs,
      slot.epoch,
      slot.isProbe ? 1 : 0,
      retryAfterMs === null ? "" : Math.round(retryAfterMs * 1000),
      "code" in said ? said.code : "",
      ...takeWorked(),
    )) as [string, number, string, number, string, string];
    state = { ...state, rate: Number(rate), outage: outage === "" ? null : outage };
    return {
      change: readChange(change, us / 1000, Number(rate), said),
      streak: said.kind === "failed" ? streak : null,
    };
  };

  /** What need not be known at once goes along with the next question. */
  const isUrgentNews = (slot: Slot, said: CallReport) => said.kind !== "ok" || slot.isProbe || limits.inFlight !== null;

  return {
    key,
    take: createTurns(ask, (slot) => void tell(slot, { kind: "void" }).catch(() => {})).take,
    report: async (slot, said) => {
      if (said.kind === "ok") worked = { count: worked.count + 1, lastUs: Math.max(worked.lastUs, slot.atUs) };
      return isUrgentNews(slot, said) ? tell(slot, said) : { change: null, streak: null };
    },
    state: () => state,
    close: async () => {
      stopBeating();
      await agree(key, back, told, "", TOLD_KEPT_MS, presence, "");
    },
  };
}

const WAITS: readonly PaceWait[] = ["held", "breaker-open", "probing", "quota-minute", "quota-day", "in-flight"];

function errorCode(text: string): ErrorCode | null {
  return isErrorCode(text) ? text : null;
}

function readChange(change: string, ms: number, rate: number, said: CallReport): PaceChange {
  switch (change) {
    case "lowered":
      return { kind: "lowered", rate, heldMs: ms };
    case "breaker-opened":
      return { kind: "breaker-opened", code: "code" in said ? said.code : "internal", heldMs: ms };
    case "breaker-closed":
      return { kind: "breaker-closed", afterMs: ms };
    default:
      return null;
  }
}

function stoppedError(code: ErrorCode | null, waitMs: number): ProviderError {
  const when = `it is looked at again in ${Math.ceil(waitMs / 60_000)} min`;
  return new ProviderError(code ?? "provider-permission", `another call found the account unusable; ${when}`);
}
