/**
 * The state of one vendor account's pace is a hash; each script reads it, decides and writes it in one step, by the server's
 * clock. Times are microseconds since 1970, rates calls a second.
 *
 * `tat`      theoretical arrival time of the generic cell rate algorithm (GCRA, ITU-T I.371): when the next call comes if
 *            calls are evenly spaced; `sent` is the same for the calls that really went out, kept by the ledger
 * `epoch`    grows with every change that makes slots handed out before it void
 * `ceiling`  the lowest rate that any process was told, or the one that overrides them; `auto`
 * `estimate` what the vendor allows, as far as its last refusal tells; absent while it has refused nothing
 * `low`      the rate right after that refusal
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
 * `stopped`, `nextProbeAt`  the code of why the account cannot be used, and when it is looked at again
 * `urgentUntil`, `urgentInARow`  somebody urgent waits; so many slots have gone to such
 */

/** Below this no rate falls. */
export const LEAST_RATE = 0.2;
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
export const PLATEAU_S = 2;
export const REACH_S = 6;
/** A stopped account is looked at again. */
export const STOPPED_US = 3_600_000_000;

/** What every script begins with: the state as a table, and what is done with it. */
export const STATE = `
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
  local function rate_at(age)
    local ceiling = tonumber(state.ceiling or 'auto')
    local low, t = num('low'), age / 1000000
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
  local function rate() return rate_at(num('age')) end
  local function forget()
    drop('estimate', 'low', 'age', 'given', 'refused', 'givenBefore', 'regular', 'pausedUs', 'refusedAt', 'episodeAt', 'best', 'bestAt')
  end
  local function void(now)
    set('epoch', num('epoch') + 1)
    set('tat', now + 1000000 / rate())
    redis.call('DEL', KEYS[2])
  end`;
