import type { Pace } from "../domain/pace.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";
import { createTurns, type TurnReply } from "./turns.js";

/** How far ahead turns are handed out: enough to hide the way to Redis, little enough that a hold voids few. */
const AHEAD_US = 250_000;
/** With `burst` 0 calls are this much further apart, so that no jitter makes a second hold more than the limit. */
const STRICT_STRETCH = 1.02;
/** A process whose rate was not renewed for this long has no say any more. */
const RATE_KEPT_MS = 10_000;
const RATE_BEAT_MS = 2000;

/**
 * Hands out one turn by GCRA (generic cell rate algorithm, ITU-T I.371), by the server's clock.
 * KEYS: pace. ARGV: µs between calls, µs of tolerance, µs ahead.
 * `tat`, the theoretical arrival time, is when the next call would come if calls were evenly spaced.
 * Returns whether the turn was taken, and in how many µs it is (or may be asked for again).
 */
const TAKE = {
  name: "cardbatchPaceTake",
  keys: 1,
  lua: `
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local state = redis.call('HMGET', KEYS[1], 'tat', 'holdUntil')
    local tat, hold = tonumber(state[1] or '0'), tonumber(state[2] or '0')
    if hold > now then return {0, hold - now} end
    local turn = math.max(now, tat - ARGV[2])
    if turn - now > tonumber(ARGV[3]) then return {0, turn - now - ARGV[3]} end
    redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', math.max(turn, tat) + ARGV[1]))
    return {1, turn - now}`,
};

/** KEYS: pace. ARGV: µs. The longest hold counts; the turns handed out before it are not worth waiting for either. */
const HOLD = {
  name: "cardbatchPaceHold",
  keys: 1,
  lua: `
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local until_ = math.max(tonumber(redis.call('HGET', KEYS[1], 'holdUntil') or '0'), now + ARGV[1])
    redis.call('HSET', KEYS[1], 'holdUntil', string.format('%.0f', until_))`,
};

/** KEYS: rates. ARGV: own id, own rate, ms a rate is kept. Returns the lowest rate of all live processes. */
const AGREE = {
  name: "cardbatchPaceAgree",
  keys: 1,
  lua: `
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. now)
    local lowest = ARGV[2]
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local rate, at = string.match(all[i + 1], '^(.*)|(%d+)$')
      if now - at > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i])
      elseif tonumber(rate) < tonumber(lowest) then lowest = rate end
    end
    return lowest`,
};

export interface PaceOptions {
  readonly provider: string;
  readonly account: string;
  /** Calls a second that this process was told; the lowest of all processes counts. */
  readonly rate: number;
  /** Calls that may go out together after a pause; 0 spaces them so that no second ever holds more than `rate`. */
  readonly burst: number;
  /** This process, as `Presence` names it. */
  readonly presence: string;
}

/**
 * The shared limit of one account. Within a process turns are taken in the order they were asked for, one at a time;
 * between processes Redis decides.
 */
export async function createPace(redis: Redis, keys: Keys, options: PaceOptions): Promise<Pace> {
  const key = keys.pace(options.provider, options.account);
  const take = loadScript(redis, TAKE);
  const hold = loadScript(redis, HOLD);
  const agree = loadScript(redis, AGREE);
  let allowed = options.rate;
  const agreeOnRate = async () => {
    allowed = Number(await agree(`${key}:rates`, options.presence, options.rate, RATE_KEPT_MS));
  };
  await agreeOnRate();
  const timer = setInterval(() => void agreeOnRate().catch(() => {}), RATE_BEAT_MS);
  timer.unref();

  const askForTurn = async (): Promise<TurnReply> => {
    const strict = options.burst === 0;
    const intervalUs = Math.ceil((1e6 / allowed) * (strict ? STRICT_STRETCH : 1));
    const toleranceUs = Math.max(options.burst - 1, 0) * intervalUs;
    const [taken, waitUs] = (await take(key, intervalUs, toleranceUs, AHEAD_US)) as [number, number];
    return { taken: taken === 1, waitMs: waitUs / 1000 };
  };

  return {
    key,
    take: createTurns(askForTurn).take,
    hold: async (ms) => void (await hold(key, Math.round(ms * 1000))),
    allowedRate: () => allowed,
    close: async () => {
      clearInterval(timer);
      await redis.hdel(`${key}:rates`, options.presence);
    },
  };
}
