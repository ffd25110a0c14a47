import { PROVIDER_NAMES } from "../domain/answer.js";

/** Server time in ms; the head of every script that needs it. */
const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/**
 * Whether one more call to a provider would go over a limit of the batch: `isSpent` of `domain/money`, by the batch's hash.
 */
const IS_SPENT = `
  local function isSpent(batch, provider)
    local limits = redis.call('HMGET', batch, 'limit:calls', 'limit:budget', 'limit:of')
    local most, budget = tonumber(limits[1] or ''), tonumber(limits[2] or '')
    if not most and not budget then return false end
    local price = tonumber(redis.call('HGET', batch, 'price:' .. provider) or '0')
    local calls, cost, counts = 1, price, false
    for _, name in ipairs({${PROVIDER_NAMES.map((name) => `'${name}'`).join(", ")}}) do
      local its = redis.call('HMGET', batch, 'calls:' .. name, 'refused:' .. name, 'free:' .. name, 'price:' .. name)
      local sent = (tonumber(its[1] or '0')) - (tonumber(its[2] or '0'))
      if string.find(',' .. (limits[3] or '') .. ',', ',' .. name .. ',', 1, true) then
        calls = calls + sent
        if name == provider then counts = true end
      end
      cost = cost + (sent - tonumber(its[3] or '0')) * tonumber(its[4] or '0')
    end
    return most and counts and calls > most or budget and price > 0 and cost > budget
  end`;

/**
 * A mark in flight is `ticket|deadline|batch`: who holds the page by which claim, and once its call is under way that call's
 * deadline, in server time, and whose call it is. Until then it is `ticket||`, and `ticket||urgent` where somebody waits for
 * it. A ticket is the holder's presence, `#` and the claim's number.
 *
 * KEYS: requests, images, answer, in-flight mark.
 * An outcome from before stands for an answer that is no longer kept, if that answer can be behind it: it was recorded
 * since the provider has been asked in this batch, or taken over from files.
 * While Redis is settling nobody is taken for dead: who was cut off with it comes back with its answer.
 * A call that is taken for lost is remembered by its ticket, so that its account can be put right should it end after all.
 */
export const CLAIM = {
  name: "cardbatchClaim",
  keys: 4,
  lua: `${NOW}${IS_SPENT}
    local request, generation, image, field, ticket, claimMs, presences, refreshSince, mayStand, batches, name, asked, provider,
      lost, urgent, settling = unpack(ARGV)
    local mark = redis.call('HGET', KEYS[1], request)
    local isSameImage = mark and string.sub(mark, 4) == image
    if isSameImage and string.sub(mark, 3, 3) == generation then return {'done'} end
    redis.call('HSETNX', KEYS[2], field, request)
    local owner = redis.call('HGET', KEYS[2], field)
    local stored = redis.call('GET', KEYS[3])
    if stored then
      local at = string.find(stored, '|', 1, true)
      if tonumber(string.sub(stored, 1, at - 1)) >= tonumber(refreshSince) then
        return {'answered', owner, string.sub(stored, at + 1)}
      end
    elseif isSameImage and mayStand == '1' then
      local outcome, recorded = string.sub(mark, 1, 1), string.sub(mark, 2, 2)
      local since = redis.call('HGET', batches .. name, asked)
      local canBeBehind = recorded == '-' and refreshSince == '0' or since and recorded >= since
      if outcome ~= '-' and outcome ~= 'f' and canBeBehind then
        redis.call('HSET', KEYS[1], request, outcome .. generation .. generation .. image)
        if recorded ~= '-' then redis.call('HINCRBY', batches .. name, 'recorded:' .. recorded, -1) end
        redis.call('HINCRBY', batches .. name, 'recorded:' .. generation, 1)
        return {'kept'}
      end
    end
    local claim = ticket .. '||' .. urgent
    local flying = redis.call('GET', KEYS[4])
    if flying and flying ~= claim then
      local whose, limit, batch = string.match(flying, '^([^|]*)|([^|]*)|(.*)$')
      local deadline = tonumber(limit)
      local alive = redis.call('EXISTS', presences .. string.match(whose, '^(.*)#')) == 1
      local givesWay = not deadline and urgent ~= '' and batch ~= urgent
      local isOver = not alive or deadline and now > deadline
      if not givesWay and (not isOver or settling == '1') then return {'busy'} end
      if deadline then
        redis.call('HINCRBY', batches .. batch, 'uncertain:' .. provider, 1)
        redis.call('SET', lost .. whose, '1', 'PX', claimMs)
        redis.call('DEL', KEYS[4])
      end
    end
    if isSpent(batches .. name, provider) then return {'spent'} end
    redis.call('SET', KEYS[4], claim, 'PX', claimMs)
    return {'claimed', owner}`,
};

/** Who would have to wait longer than this has missed his slot. */
const LONGEST_SEND_WAIT_US = 100_000;

/**
 * KEYS: in-flight mark, pace, batch.
 * ARGV: ticket, ms until the call's deadline, ms to keep the mark, provider, name of the batch, the slot's epoch ("" where no
 * pace limits), µs between calls, µs of tolerance.
 * Returns how many µs the call has still to wait. Slots are handed out evenly, but who is busy comes late: here, where the calls
 * of all go by, GCRA sees to it that they do not bunch up (`sent` is its theoretical arrival time).
 * A call that is marked already was counted, and the reply was lost. From the moment that a batch is halted none of its calls
 * goes out.
 */
export const MARK_SENT = {
  name: "cardbatchMarkSent",
  keys: 3,
  lua: `${NOW}${IS_SPENT}
    local ticket, limit = string.match(redis.call('GET', KEYS[1]) or '', '^([^|]*)|([^|]*)|')
    if ticket ~= ARGV[1] then return {'lost'} end
    if limit ~= '' then return {'go'} end
    if redis.call('HEXISTS', KEYS[3], 'halt') == 1 then return {'halted'} end
    local waitUs, sent = 0, nil
    if ARGV[6] ~= '' then
      local nowUs = time[1] * 1000000 + time[2]
      local pace = redis.call('HMGET', KEYS[2], 'epoch', 'sent')
      local turn = math.max(tonumber(pace[2] or '0') - ARGV[8], nowUs)
      waitUs = turn - nowUs
      if (pace[1] or '0') ~= ARGV[6] or waitUs > ${LONGEST_SEND_WAIT_US} then return {'void'} end
      sent = math.max(tonumber(pace[2] or '0'), nowUs) + ARGV[7]
    end
    if isSpent(KEYS[3], ARGV[4]) then return {'spent'} end
    if sent then redis.call('HSET', KEYS[2], 'sent', string.format('%.0f', sent)) end
    redis.call('HINCRBY', KEYS[3], 'calls:' .. ARGV[4], 1)
    redis.call('SET', KEYS[1], ARGV[1] .. '|' .. (now + ARGV[2]) .. '|' .. ARGV[5], 'PX', ARGV[3])
    return {'go', math.ceil(waitUs)}`,
};

/**
 * KEYS: answer, in-flight mark, batch, mark of a lost call.
 * ARGV: ticket, sealed answer ("" for none), ms to keep it, refresh since, field of uncertain calls, then fields and what to
 * add to them.
 * The first answer stays, unless it is older than a refresh. A call that had been taken for lost, and so for uncertain, is
 * counted as what it came to. Neither held nor lost: this was settled already, and the reply was lost.
 */
export const SETTLE = {
  name: "cardbatchSettle",
  keys: 4,
  lua: `${NOW}
    if ARGV[2] ~= '' then
      local stored = redis.call('GETRANGE', KEYS[1], 0, 15)
      if (tonumber(string.match(stored, '^(%d+)|')) or -1) < tonumber(ARGV[4]) then
        redis.call('SET', KEYS[1], now .. '|' .. ARGV[2], 'PX', ARGV[3])
      end
    end
    local isHeld = string.match(redis.call('GET', KEYS[2]) or '', '^([^|]*)|') == ARGV[1]
    if isHeld then redis.call('DEL', KEYS[2]) end
    if #ARGV == 4 then return end
    local wasLost = redis.call('DEL', KEYS[4]) == 1
    if wasLost then redis.call('HINCRBY', KEYS[3], ARGV[5], -1) end
    if not isHeld and not wasLost then return end
    for i = 6, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end`,
};
