import type { RedisScript } from "../redis.js";
import { STATE, STOPPED_US } from "./state.js";

/** How far ahead slots are handed out: enough to hide the way to Redis, little enough that few are voided. */
const AHEAD_US = 250_000;
/** With `burst` 0 calls are this much further apart, so that no jitter makes a second hold more than the limit. */
const STRICT_STRETCH = 1.02;
/** Those who can wait have at least every tenth slot. */
const URGENT_IN_A_ROW = 9;
/** Longer quotas are counted in so many parts; a part counts until all of it is out of the window. */
const QUOTA_PARTS = 60;

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
