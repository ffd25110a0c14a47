import type { RedisScript } from "../redis.js";
import { STATE } from "./state.js";

/** What is known of an account that nobody calls any more is forgotten. */
const KEPT_MS = 30 * 24 * 3600_000;

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
