import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { Keys } from "./keys.js";
import { TOLD_KEPT_MS } from "./pace.js";
import { LOOK } from "./pace-scripts/look.js";
import { loadScript, type Redis } from "./redis.js";

/** What one process was told of an account. */
export interface ToldLimits {
  readonly process: string;
  readonly perSecond: number | "auto";
  readonly perMinute: number | null;
  readonly perDay: number | null;
  readonly inFlight: number | null;
}

/** An account's pace as it stands. */
export interface PaceStatus {
  readonly provider: ProviderName;
  /** Tells accounts of one provider apart. */
  readonly account: string;
  /** Calls a second that the fleet may make at the most; `auto`: as many as the vendor takes. */
  readonly limit: number | "auto" | null;
  /** That limit was set by hand, over what processes were told. */
  readonly overridden: boolean;
  /** What the vendor took last, where it has refused calls; null: it has not. @unit calls a second */
  readonly estimate: number | null;
  /** Calls a second at present; it climbs back by itself where the vendor has refused calls. */
  readonly rate: number;
  readonly told: readonly ToldLimits[];
  readonly heldUntil: Date | null;
  readonly breaker: "closed" | "open" | "probing";
  /** Code of what opened the breaker, or stopped the account; null: neither. */
  readonly because: string | null;
  readonly stopped: boolean;
}

/** Reads the pace of every account there is; changes nothing. */
export async function readPaces(redis: Redis, keys: Keys): Promise<PaceStatus[]> {
  const names = (await redis.smembers(keys.paces())).sort();
  const [seconds, us] = await redis.time();
  const nowUs = Number(seconds) * 1e6 + Number(us);
  const read = await Promise.all(names.map((name) => readPace(redis, name, nowUs)));
  return read.filter((status) => status !== null);
}

async function readPace(redis: Redis, name: string, nowUs: number): Promise<PaceStatus | null> {
  const space = name.indexOf(" ");
  const key = name.slice(space + 1);
  const provider = PROVIDER_NAMES.find((known) => known === name.slice(0, space));
  if (provider === undefined) return null;
  const state = await redis.hgetall(key);
  const told = await redis.hgetall(`${key}:told`);
  const holdUs = Number(state.holdUntil ?? 0);
  const isHeld = holdUs > nowUs;
  const isOpen = isHeld && (state.why ?? "") !== "";
  const stopped = (state.stopped ?? "") !== "";
  return {
    provider,
    account: key.slice(key.lastIndexOf(":") + 1),
    limit: state.ceiling === undefined ? null : rateOf(state.ceiling),
    overridden: state.override !== undefined,
    estimate: state.estimate === undefined ? null : Number(state.estimate),
    rate: Number(await loadScript(redis, LOOK)(key)),
    told: Object.entries(told).flatMap(([process, text]) => readTold(process, text, nowUs)),
    heldUntil: isHeld ? new Date(holdUs / 1000) : null,
    breaker: isOpen ? "open" : !isHeld && state.probing === "1" ? "probing" : "closed",
    because: stopped ? (state.stopped ?? null) : isOpen ? (state.why ?? null) : null,
    stopped,
  };
}

/** None: the process has not been heard of for a while. */
function readTold(process: string, text: string, nowUs: number): ToldLimits[] {
  const told = JSON.parse(text) as Partial<ToldLimits> & { readonly at?: number };
  const { perSecond = "auto", perMinute = null, perDay = null, inFlight = null, at = 0 } = told;
  return nowUs - at > TOLD_KEPT_MS * 1000 ? [] : [{ process, perSecond, perMinute, perDay, inFlight }];
}

function rateOf(text: string): number | "auto" {
  return text === "auto" ? "auto" : Number(text);
}
