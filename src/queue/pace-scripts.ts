/**
 * The state of one vendor account's pace is a hash; each script reads it, decides and writes it in one step, by the server's
 * clock. Times are microseconds since 1970, rates calls a second.
 *
 * `tat`      theoretical arrival time of the generic cell rate algorithm (GCRA, ITU-T I.371): when the next call comes if
 *            calls are evenly spaced; `sent` is the same for the calls that really went out, kept by the ledger
 * `epoch`    grows with every change that makes slots handed out before it void
 * `ceiling`  the lowest rate that any process was told, or the one that overrides them; `auto`
 * `estimate` what the vendor allows, as far as its last refusal tells; absent while it has refused nothing
 * `low`      the rate right after that refusal; with `auto`, and nothing refused yet, the rate at the start
 * `age`      how long the account has been under load since then: idle time proves nothing
 * `given`, `refused`  slots and refusals since then
 * `givenBefore`, `pausedUs`, `regular`  slots between the two refusals before, the pause after it, and how often in a row as
 *            many were given
 * `refusedAt`, `episodeAt`, `episodeFloor`  when the last refusal was; since when refusals follow one another, and how low they
 *            may bring the rate
 * `best`, `bestAt`  the highest estimate of the last minutes
 * `plateau`, `reach`  how long the rate stays at the estimate, and how fast it looks further then, in seconds
 * `holdUntil`, `why`  nobody calls before; the code of what opened the breaker, empty for what the vendor asked for
 * `probing`  1: the next call goes alone, and everybody waits for it; `probe` its process, `probeUntil` at the latest
 * `streak`, `streakAt`, `failures`  the breaker's run of failures: its number, when its first call went out, its length
 * `openedAt`, `openUs`, `outage`  since when and for how long at a time the breaker is open; the last run that opened it
 * `windowAt`, `windowOk`, `windowFailed`  the present window of the failure rate
 * `stopped`, `stoppedMessage`, `nextProbeAt`  the account cannot be used
 * `urgentUntil` somebody urgent waits
 */

import type { RedisScript } from "./redis.js";

/** How far ahead slots are handed out: enough to hide the way to Redis, little enough that few are voided. */
export const AHEAD_US = 250_000;
/** With `burst` 0 calls are this much further apart, so that no jitter makes a second hold more than the limit. */
const STRICT_STRETCH = 1.02;

/** Below this no rate falls. */
const LEAST_RATE = 0.2;
const FASTEST_RATE = 10_000;
/** `auto` begins here, and doubles in this time until the vendor refuses. */
const AUTO_START = 5;
const AUTO_DOUBLES_S = 2;
/**
 * After a refusal the rate falls by a factor, comes back to the estimate within CLIMB_S, stays there for a plateau, and then
 * looks further, slowly first: it has grown by the estimate after another reach. (CUBIC's curve, RFC 9438, with times instead
 * of its constants.)
 */
const CLIMB_S = 3;
const PLATEAU_S = 2;
const REACH_S = 6;
/** Where more was possible a while ago, it is looked for faster. */
const REACH_BELOW_BEST_S = 4;
const BELOW_BEST = 0.7;
const BEST_KEPT_US = 300_000_000;
/** A refusal that costs a pause is asked for less often: the plateau grows by so many pauses. */
const PLATEAU_PAUSES = 15;
const LONGEST_PLATEAU_S = 30;
const MILD = 0.85;
const JUST_UNDER = 0.98;
const JUST_UNDER_PAUSE = 0.95;
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
/** A stopped account is looked at again. */
const STOPPED_US = 3_600_000_000;
/** Those who can wait have at least every tenth slot. */
const URGENT_IN_A_ROW = 9;
/** What is known of an account that nobody calls any more is forgotten. */
const KEPT_MS = 30 * 24 * 3600_000;
/** Longer quotas are counted in so many parts; a part counts until all of it is out of the window. */
const QUOTA_PARTS = 60;

const STATE = `
  local function now_us(clock)
    if clock ~= '' then return tonumber(clock) end
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
  end
  local pace = KEYS[1]
  local state = {}
  local all = redis.call('HGETALL', pace)
  for i = 1, #all, 2 do state[all[i]] = all[i + 1] end
  local function num(name) return tonumber(state[name] or '0') or 0 end
  local function set(name, value)
    if type(value) == 'number' then value = string.format('%.17g', value) end
    state[name] = value
    redis.call('HSET', pace, name, value)
  end
  local function drop(...)
    for _, name in ipairs({...}) do state[name] = nil end
    redis.call('HDEL', pace, ...)
  end
  local function rate()
    local ceiling = tonumber(state.ceiling or 'auto')
    local low, t = num('low'), num('age') / 1000000
    local estimate = tonumber(state.estimate or '')
    local value
    if not estimate then
      if ceiling then return ceiling end
      value = ${AUTO_START} * 2 ^ (t / ${AUTO_DOUBLES_S})
    elseif t < ${CLIMB_S} then
      value = estimate - (estimate - low) * ((${CLIMB_S} - t) / ${CLIMB_S}) ^ 3
    else
      local beyond = math.max(t - ${CLIMB_S} - num('plateau'), 0)
      value = estimate + estimate * (beyond / num('reach')) ^ 3
    end
    return math.min(value, ceiling or ${FASTEST_RATE})
  end
  local function forget()
    drop('estimate', 'low', 'age', 'given', 'refused', 'givenBefore', 'regular', 'pausedUs', 'refusedAt', 'episodeAt', 'best', 'bestAt')
  end
  local function void(now)
    set('epoch', num('epoch') + 1)
    set('tat', now + 1000000 / rate())
    redis.call('DEL', KEYS[2])
  end`;

/**
 * Hands out slots.
 * KEYS: pace, slots given back, leases, then one a quota.
 * ARGV: clock ("" for the server's), own presence, prefix of presences, how many slots, how many of them urgent, calls that
 * worked since the last time, when the last of them went out, burst, µs a lease lasts.
 * Returns why none, for how many µs and a code; or `slots`; then rate, epoch, outage; then of slots: whether it is a probe,
 * µs between calls, the server's time, and their times.
 */
export const TAKE: RedisScript = {
  name: "cardbatchPaceTake",
  keys: 5,
  lua: `${STATE}
    local clock, presence, presences, want, urgent, worked, workedAt, burst, leaseUs = unpack(ARGV)
    local now = now_us(clock)
    want, urgent, worked, burst = tonumber(want), tonumber(urgent), tonumber(worked), tonumber(burst)
    if worked > 0 and state.probing ~= '1' then
      if num('failures') > 0 and tonumber(workedAt) > num('streakAt') then set('failures', 0) end
      if num('windowFailed') > 0 then redis.call('HINCRBY', pace, 'windowOk', worked) end
    end
    local function reply(kind, waitUs, code)
      return {kind, math.ceil(waitUs), code or '', tostring(rate()), num('epoch'), state.outage or ''}
    end
    local isProbe = false
    if state.stopped then
      if now < num('nextProbeAt') then return reply('stopped', num('nextProbeAt') - now, state.stopped) end
      isProbe = true
    end
    if num('holdUntil') > now then
      return reply(state.why and state.why ~= '' and 'breaker-open' or 'held', num('holdUntil') - now, state.why)
    end
    if state.probing == '1' then
      local isOut = now < num('probeUntil') and (state.probe == presence or redis.call('EXISTS', presences .. (state.probe or '')) == 1)
      if isOut then return reply('probing', math.min(num('probeUntil') - now, 50000), state.why) end
      isProbe = true
    end
    if isProbe then want = 1 end

    local ceiling = tonumber(state.ceiling or 'auto')
    local isSearching = state.estimate or not ceiling
    if isSearching then
      -- Under load the rate grows with time.
      if num('tat') > now - 1000000 then set('age', num('age') + math.min(math.max(now - num('seen'), 0), 2000000)) end
      set('seen', now)
    end
    local current = rate()
    if state.estimate and ceiling and current >= ceiling then forget() end

    local interval = 1000000 / current * (burst == 0 and ${STRICT_STRETCH} or 1)
    local tolerance = math.max(burst - 1, 0) * interval
    local isTurnOfOthers = urgent == 0 and num('urgentUntil') > now
    if isTurnOfOthers and num('urgentInARow') < ${URGENT_IN_A_ROW} then
      return reply('busy', math.max(interval, 10000))
    end

    -- Longer quotas.
    local quotas = {}
    for i, name in ipairs({'perMinute', 'perDay'}) do
      local limit = tonumber(state[name] or '')
      if limit then
        local key, part = KEYS[3 + i], (i == 1 and 60000000 or 86400000000) / ${QUOTA_PARTS}
        local used, oldest = 0, nil
        local counts = redis.call('HGETALL', key)
        for j = 1, #counts, 2 do
          local at = tonumber(counts[j])
          if at + ${QUOTA_PARTS} < math.floor(now / part) then redis.call('HDEL', key, counts[j])
          else
            used = used + tonumber(counts[j + 1])
            if not oldest or at < oldest then oldest = at end
          end
        end
        if used >= limit then
          return reply(i == 1 and 'quota-minute' or 'quota-day', (oldest + ${QUOTA_PARTS} + 1) * part - now)
        end
        want = math.min(want, limit - used)
        quotas[#quotas + 1] = {key, tostring(math.floor(now / part)), i == 1 and 120 or 172800}
      end
    end
    local inFlight = tonumber(state.inFlight or '')
    if inFlight then
      redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
      local free = inFlight - redis.call('ZCARD', KEYS[3])
      if free <= 0 then return reply('in-flight', 20000) end
      want = math.min(want, free)
    end

    local slots = redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf', 'LIMIT', 0, want)
    if #slots > 0 then redis.call('ZREM', KEYS[2], unpack(slots)) end
    local tat = num('tat')
    local returned = #slots
    while #slots < want do
      local at = math.max(now, tat - tolerance)
      if at - now > ${AHEAD_US} then break end
      tat = math.max(at, tat) + interval
      slots[#slots + 1] = string.format('%.0f', math.ceil(at))
    end
    if #slots == 0 then
      if urgent > 0 then set('urgentUntil', now + math.max(2 * interval, 200000)) end
      return reply('busy', tat - tolerance - ${AHEAD_US} - now)
    end
    set('tat', tat)
    if urgent > 0 then
      if urgent <= #slots then set('urgentUntil', 0) end
      set('urgentInARow', urgent < #slots and 0 or num('urgentInARow') + #slots)
    elseif num('urgentInARow') > 0 then
      set('urgentInARow', 0)
    end
    if isSearching then set('given', num('given') + #slots) end
    for _, quota in ipairs(quotas) do
      redis.call('HINCRBY', quota[1], quota[2], #slots - returned)
      redis.call('EXPIRE', quota[1], quota[3])
    end
    if inFlight then
      for _, at in ipairs(slots) do redis.call('ZADD', KEYS[3], at + leaseUs, presence .. '@' .. at) end
      redis.call('PEXPIRE', KEYS[3], 3600000)
    end
    if isProbe then
      set('probe', presence)
      set('probeUntil', now + leaseUs)
      set('probing', '1')
      if state.stopped then set('nextProbeAt', now + ${STOPPED_US}) end
    end
    local answer = reply('slots', 0)
    for _, value in ipairs({isProbe and 1 or 0, math.ceil(interval), now, unpack(slots)}) do
      answer[#answer + 1] = value
    end
    return answer`,
};

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
      if pauseUs > 0 then
        -- What it had counted is forgotten after the pause: it has just taken what it takes in a second.
        local flowUs = math.max(sinceUs - num('pausedUs'), 1000000)
        local isAlike = math.abs(given - num('givenBefore')) <= math.max(2, given * 0.2)
        set('regular', isAlike and num('regular') + 1 or 0)
        local before = tonumber(state.estimate or '') or ceiling or 0
        estimate = current * (current > before * 1.3 and ${OVERSHOT} or ${JUST_UNDER_PAUSE})
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
      local pauses = isBelowBest and 0 or pauseUs / 1000000 * ${PLATEAU_PAUSES}
      set('plateau', math.min(${PLATEAU_S} + pauses, ${LONGEST_PLATEAU_S}))
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

/** Reads what every live process was told; the lowest of each counts. */
const AGREED = `
    local lowest = {}
    local rates = redis.call('HGETALL', KEYS[3])
    for i = 1, #rates, 2 do
      local told = cjson.decode(rates[i + 1])
      if now - told.at > ARGV[2] * 1000 then redis.call('HDEL', KEYS[3], rates[i])
      else
        for _, name in ipairs({'perSecond', 'perMinute', 'perDay', 'inFlight'}) do
          local value = tonumber(told[name])
          if value and (not lowest[name] or value < lowest[name]) then lowest[name] = value end
        end
      end
    end
    local ceiling = state.override or (lowest.perSecond and tostring(lowest.perSecond)) or 'auto'
    if state.ceiling ~= ceiling then
      local isNew = state.ceiling == nil
      set('ceiling', ceiling)
      forget()
      if not isNew then void(now) end
    end
    redis.call('PEXPIRE', pace, ${KEPT_MS})
    for _, name in ipairs({'perMinute', 'perDay', 'inFlight'}) do
      if lowest[name] then set(name, lowest[name]) elseif state[name] then drop(name) end
    end
    return tostring(rate())`;

/**
 * A process says what it was told.
 * KEYS: pace, slots given back, what processes were told. ARGV: clock, ms that is kept, own presence, limits as JSON with `at`
 * left for the script ("" to leave).
 */
export const AGREE: RedisScript = {
  name: "cardbatchPaceAgree",
  keys: 3,
  lua: `${STATE}
    local now = now_us(ARGV[1])
    if ARGV[4] == '' then redis.call('HDEL', KEYS[3], ARGV[3])
    else
      local told = cjson.decode(ARGV[4])
      told.at = now
      redis.call('HSET', KEYS[3], ARGV[3], cjson.encode(told))
    end
    ${AGREED}`,
};

/** Sets the rate over what processes were told. KEYS: as for AGREE. ARGV: clock, ms that is kept, rate, `auto`, or "" for none. */
export const OVERRIDE: RedisScript = {
  name: "cardbatchPaceOverride",
  keys: 3,
  lua: `${STATE}
    local now = now_us(ARGV[1])
    if ARGV[3] == '' then drop('override') else set('override', ARGV[3]) end
    ${AGREED}`,
};
