import type { RedisScript } from "../redis.js";
import { LEAST_RATE, PLATEAU_S, REACH_S, STATE, STOPPED_US } from "./state.js";

/** Where more was possible a while ago, it is looked for faster. */
const REACH_BELOW_BEST_S = 4;
const BELOW_BEST = 0.7;
const BEST_KEPT_US = 300_000_000;
/** A refusal that costs a pause is asked for less often: the plateau grows by so many pauses, and doubles where a look further found the same. */
const PLATEAU_PAUSES = 25;
const LONGEST_PLATEAU_S = 60;
const THE_SAME = 0.1;
const MILD = 0.85;
const JUST_UNDER = 0.98;
/**
 * A vendor that counts the calls of a second refuses for what was sent in the second before, while the rate has gone on growing:
 * where a refusal costs a pause, what it takes is the rate of a second ago, less what a call that comes early makes of it.
 */
const JUST_UNDER_PAUSE = 0.95;
const COUNTED_US = 1_000_000;
/** Found while the rate was growing fast. */
const OVERSHOT = 0.8;
const SEVERE = 0.5;
/** So large a share of refusals means that the limit is far below the rate. */
const SEVERE_SHARE = 0.3;
/** A vendor that counts calls a second refuses for a second, whatever we do: within it the rate falls to this share at most. */
const EPISODE_US = 1_000_000;
const EPISODE_SHARE = 0.25;
/**
 * Some vendors refuse at random and say how long to pause: a configured rate is not doubted by more than this for that, unless
 * the pauses come as regularly as those of a limit, so many times in a row.
 */
const TRUSTED_SHARE = 0.5;
const REGULAR = 3;
/** Failures in a row, or this share of a window's calls, open the breaker. */
const FAILURES_IN_A_ROW = 10;
const WINDOW_US = 10_000_000;
const WINDOW_CALLS = 40;
const WINDOW_SHARE = 0.5;
/** The breaker is open for so long, then longer each time; in a long outage longer still. */
const OPEN_US = 1_000_000;
const LONGEST_OPEN_US = 5_000_000;
const LONG_OUTAGE_US = 600_000_000;
const LONGEST_OPEN_IN_LONG_OUTAGE_US = 30_000_000;
/** A vendor that throttles its probe without saying for how long. */
const PROBE_THROTTLED_US = 1_000_000;

/**
 * Takes in what a call came to.
 * KEYS: pace, slots given back, leases.
 * ARGV: clock, own presence, kind, slot's time, slot's epoch, whether it is a probe, µs of Retry-After ("" for none), code, calls
 * that worked since the last time, and when the last of them went out.
 * Returns what has changed, for how many µs, rate, epoch, outage, streak.
 */
export const REPORT: RedisScript = {
  name: "cardbatchPaceReport",
  keys: 3,
  lua: `${STATE}
    local clock, presence, kind, at, slotEpoch, isProbe, retryAfter, code, worked, workedAt = unpack(ARGV)
    local now = now_us(clock)
    isProbe, retryAfter, worked = isProbe == '1', tonumber(retryAfter), tonumber(worked)
    redis.call('ZREM', KEYS[3], presence .. '@' .. at)
    local isOpen = state.why and state.why ~= ''
    if worked > 0 and not isOpen then
      -- Who was sent before the first failure says nothing of what came after.
      if tonumber(workedAt) > num('streakAt') then set('failures', 0) end
      redis.call('HINCRBY', pace, 'windowOk', worked)
      state.windowOk = tostring(num('windowOk') + worked)
    end
    local function reply(change, us)
      return {change, math.ceil(us or 0), tostring(rate()), num('epoch'), state.outage or '', state.streak or '0'}
    end
    local function hold(us)
      set('holdUntil', math.max(num('holdUntil'), now + us))
      set('probing', '1')
      drop('probe', 'probeUntil')
    end
    local isProbeOut = isProbe and state.probe == presence
    local function lower(now, pauseUs)
      local current, ceiling = rate(), tonumber(state.ceiling or 'auto')
      local given = num('given') - math.max(num('tat') - now, 0) / 1000000 * current
      local share = num('refused') / math.max(given, 1)
      local sinceUs = now - num('refusedAt')
      if sinceUs > ${EPISODE_US} then
        set('episodeAt', now)
        set('episodeFloor', current * ${EPISODE_SHARE})
      end
      local low, estimate = current * ${MILD}, current * ${JUST_UNDER}
      local before = tonumber(state.estimate or '') or ceiling or 0
      if pauseUs > 0 then
        -- What it had counted is forgotten after the pause: it has just taken what it takes in a second.
        local flowUs = math.max(sinceUs - num('pausedUs'), 1000000)
        local isAlike = math.abs(given - num('givenBefore')) <= math.max(2, given * 0.2)
        set('regular', isAlike and num('regular') + 1 or 0)
        estimate = current * ${OVERSHOT}
        if current <= before * 1.3 then estimate = rate_at(math.max(num('age') - ${COUNTED_US}, 0)) * ${JUST_UNDER_PAUSE} end
        if num('regular') >= ${REGULAR} then estimate = math.min(estimate, given / flowUs * 1000000)
        elseif ceiling then estimate = math.max(estimate, math.min(before, ceiling * ${TRUSTED_SHARE})) end
        low = estimate
      elseif num('refused') > 1 and share >= ${SEVERE_SHARE} and state.estimate then
        estimate = math.max(current * ${SEVERE}, num('episodeFloor'))
      end
      set('givenBefore', given)
      set('pausedUs', pauseUs)
      set('refusedAt', now)
      if estimate >= num('best') * 0.9 or now > num('bestAt') + ${BEST_KEPT_US} then
        set('best', estimate)
        set('bestAt', now)
      end
      local isBelowBest = estimate < num('best') * ${BELOW_BEST}
      local plateau = ${PLATEAU_S}
      if pauseUs > 0 and not isBelowBest then
        plateau = plateau + pauseUs / 1000000 * ${PLATEAU_PAUSES}
        local isFoundAgain = current > before and math.abs(estimate - before) <= before * ${THE_SAME}
        if isFoundAgain then plateau = math.max(plateau, num('plateau') * 2) end
      end
      set('plateau', math.min(plateau, ${LONGEST_PLATEAU_S}))
      set('reach', isBelowBest and ${REACH_BELOW_BEST_S} or ${REACH_S})
      set('estimate', math.max(estimate, ${LEAST_RATE}))
      set('low', math.max(math.min(low, estimate), ${LEAST_RATE}))
      set('age', 0)
      set('given', 0)
      set('refused', 0)
      void(now)
    end

    if kind == 'ok' then
      if not isProbeOut then return reply('') end
      local openedAt = num('openedAt')
      drop('probing', 'probe', 'probeUntil', 'holdUntil', 'why', 'openedAt', 'openUs', 'stopped', 'nextProbeAt',
        'windowAt', 'windowOk', 'windowFailed')
      set('failures', 0)
      if isOpen then return reply('breaker-closed', now - openedAt) end
      return reply('')
    end
    if kind == 'void' then
      if isProbeOut then drop('probe', 'probeUntil') end
      if tonumber(at) > now and tonumber(slotEpoch) == num('epoch') then redis.call('ZADD', KEYS[2], at, at) end
      return reply('')
    end
    if kind == 'stopped' then
      if isProbeOut then drop('probing', 'probe', 'probeUntil') end
      set('stopped', code)
      set('nextProbeAt', now + ${STOPPED_US})
      void(now)
      return reply('stopped', ${STOPPED_US})
    end
    if kind == 'throttled' then
      set('refused', num('refused') + 1)
      local isLowered = tonumber(slotEpoch) == num('epoch')
      if isLowered then lower(now, retryAfter or 0) end
      local us = retryAfter or (isProbeOut and ${PROBE_THROTTLED_US}) or 0
      if us > 0 then
        if not isLowered then void(now) end
        hold(us)
      end
      if isLowered or us > 0 then return reply('lowered', us) end
      return reply('')
    end

    -- A fault of the provider, or of the way to it.
    if isProbeOut and not isOpen then
      -- It was to be seen whether the pause is over: it is.
      drop('probing', 'probe', 'probeUntil')
      isProbeOut = false
    end
    if num('failures') == 0 and not isOpen then 
      set('streak', num('streak') + 1)
      set('streakAt', at)
    end
    if now > num('windowAt') + ${WINDOW_US} then
      set('windowAt', now)
      set('windowOk', 0)
      set('windowFailed', 0)
    end
    set('failures', num('failures') + 1)
    set('windowFailed', num('windowFailed') + 1)
    if isOpen and not isProbeOut then return reply('') end
    local calls = num('windowOk') + num('windowFailed')
    local isBroken = num('failures') >= ${FAILURES_IN_A_ROW}
      or calls >= ${WINDOW_CALLS} and num('windowFailed') >= calls * ${WINDOW_SHARE}
    if not isBroken and not isProbeOut then
      if (retryAfter or 0) > 0 then
        void(now)
        hold(retryAfter)
        return reply('lowered', retryAfter)
      end
      return reply('')
    end
    if not state.openedAt then set('openedAt', now) end
    local longest = now - num('openedAt') > ${LONG_OUTAGE_US} and ${LONGEST_OPEN_IN_LONG_OUTAGE_US} or ${LONGEST_OPEN_US}
    local us = math.min(math.max(num('openUs') * 2, ${OPEN_US}), longest)
    set('openUs', us)
    set('why', code)
    set('outage', num('streak'))
    void(now)
    hold(math.max(us, retryAfter or 0))
    return reply('breaker-opened', num('holdUntil') - now)`,
};
