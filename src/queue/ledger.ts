import type { AnswerLedger, CallAccount, Claim } from "../domain/ledger.js";
import type { RequestId } from "../domain/payload.js";
import { billableField, callField, uncertainField } from "./batches.js";
import { imageField, type Keys } from "./keys.js";
import { imagePart } from "./mark.js";
import { loadBinaryScript, loadScript, type Redis } from "./redis.js";

/** A claim whose process died and that nobody came back for is forgotten after this long. */
const CLAIM_MS = 24 * 3600_000;

/** Server time in ms; the head of every script that needs it. */
const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/**
 * KEYS: requests, images, answer, in-flight mark.
 * ARGV: request, generation, image part, image field, own presence, prefix of presences, refresh since, ms to keep a
 * claim, prefix of batches, field of uncertain calls, batch.
 * An outcome whose answer is no longer kept is taken over into the present generation as it is.
 * A mark is `owner|deadline|batch`: the deadline of the call that is under way, or empty while none is.
 */
const CLAIM = {
  name: "cardbatchClaim",
  keys: 4,
  lua: `${NOW}
    local mark = redis.call('HGET', KEYS[1], ARGV[1])
    if mark and string.sub(mark, 3, 3) == ARGV[2] and string.sub(mark, 4) == ARGV[3] then return {'done'} end
    redis.call('HSETNX', KEYS[2], ARGV[4], ARGV[1])
    local owner = redis.call('HGET', KEYS[2], ARGV[4])
    local stored = redis.call('GET', KEYS[3])
    if stored then
      local at = string.find(stored, '|', 1, true)
      if tonumber(string.sub(stored, 1, at - 1)) >= tonumber(ARGV[7]) then
        return {'answered', owner, string.sub(stored, at + 1)}
      end
    elseif mark and ARGV[7] == '0' and string.sub(mark, 4) == ARGV[3] then
      local outcome = string.sub(mark, 1, 1)
      if outcome ~= '-' and outcome ~= 'f' then
        local batch, recorded = ARGV[9] .. ARGV[11], string.sub(mark, 2, 2)
        redis.call('HSET', KEYS[1], ARGV[1], outcome .. ARGV[2] .. ARGV[2] .. ARGV[3])
        if recorded ~= '-' then redis.call('HINCRBY', batch, 'recorded:' .. recorded, -1) end
        redis.call('HINCRBY', batch, 'recorded:' .. ARGV[2], 1)
        return {'kept'}
      end
    end
    local flying = redis.call('GET', KEYS[4])
    local abandoned = '0'
    if flying then
      local who, limit, batch = string.match(flying, '^([^|]*)|([^|]*)|(.*)$')
      local deadline = tonumber(limit)
      local alive = redis.call('EXISTS', ARGV[6] .. who) == 1
      if alive and not (deadline and now > deadline) then return {'busy'} end
      if deadline then
        abandoned = '1'
        redis.call('HINCRBY', ARGV[9] .. batch, ARGV[10], 1)
      end
    end
    redis.call('SET', KEYS[4], ARGV[5] .. '||', 'PX', ARGV[8])
    return {'claimed', owner, abandoned}`,
};

/**
 * KEYS: in-flight mark, pace, batch.
 * ARGV: own presence, ms until the call's deadline, ms to keep the mark, field of calls, name of the batch.
 */
const MARK_SENT = {
  name: "cardbatchMarkSent",
  keys: 3,
  lua: `${NOW}
    local hold = tonumber(redis.call('HGET', KEYS[2], 'holdUntil') or '0') / 1000 - now
    if hold > 0 then return math.ceil(hold) end
    redis.call('SET', KEYS[1], ARGV[1] .. '|' .. (now + ARGV[2]) .. '|' .. ARGV[5], 'PX', ARGV[3])
    redis.call('HINCRBY', KEYS[3], ARGV[4], 1)
    return 0`,
};

/**
 * KEYS: answer, in-flight mark, batch.
 * ARGV: own presence, sealed answer ("" for none), ms to keep it, refresh since, then fields and what to add to them.
 * The first answer stays, unless it is older than a refresh.
 */
const SETTLE = {
  name: "cardbatchSettle",
  keys: 3,
  lua: `${NOW}
    if ARGV[2] ~= '' then
      local stored = redis.call('GETRANGE', KEYS[1], 0, 15)
      if (tonumber(string.match(stored, '^(%d+)|')) or -1) < tonumber(ARGV[4]) then
        redis.call('SET', KEYS[1], now .. '|' .. ARGV[2], 'PX', ARGV[3])
      end
    end
    local flying = redis.call('GET', KEYS[2])
    if flying and string.sub(flying, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[2]) end
    for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end`,
};

export interface LedgerOptions {
  /** This process, as `Presence` names it. */
  readonly presence: string;
  /** How long an answer is kept. @unit milliseconds */
  readonly retentionMs: number;
}

/** The ledger in Redis. Each step is one script, so that a crash falls between steps and never inside one. */
export function createLedger(redis: Redis, keys: Keys, { presence, retentionMs }: LedgerOptions): AnswerLedger {
  const claim = loadBinaryScript(redis, CLAIM);
  const markSent = loadScript(redis, MARK_SENT);
  const settle = loadScript(redis, SETTLE);

  const settleWith = async (key: string, sealed: Buffer | "", account: CallAccount | null, refreshSinceMs = 0) => {
    const fields = account === null ? [] : countedFields(account);
    const names = [keys.answer(key), keys.inFlight(key), keys.batch(account?.batch ?? "")];
    await settle(...names, presence, sealed, Math.round(retentionMs), refreshSinceMs, ...fields);
  };

  return {
    claim: async (key, context) => {
      const { request, batch, generation, imageKey, page } = context;
      const field = imageField(imageKey, page);
      const reply = await claim(
        keys.requests(batch, request),
        keys.images(batch, field),
        keys.answer(key),
        keys.inFlight(key),
        request,
        generation,
        imagePart(imageKey),
        field,
        presence,
        keys.owner(""),
        context.refreshSinceMs,
        CLAIM_MS,
        keys.batch(""),
        uncertainField(context.provider),
        batch,
      );
      return readClaim(reply as Buffer[]);
    },
    markSent: async (key, { batch, provider, pace }, deadlineMs) =>
      Number(
        await markSent(
          keys.inFlight(key),
          pace,
          keys.batch(batch),
          presence,
          deadlineMs,
          CLAIM_MS,
          callField(provider),
          batch,
        ),
      ),
    store: (key, sealed, account, refreshSinceMs) => settleWith(key, sealed, account, refreshSinceMs),
    release: (key, account) => settleWith(key, "", account),
  };
}

function countedFields({ provider, billable, uncertain, notSent }: CallAccount): (string | number)[] {
  return [
    ...(billable ? [billableField(provider), 1] : []),
    ...(uncertain ? [uncertainField(provider), 1] : []),
    ...(notSent ? [callField(provider), -1] : []),
  ];
}

function readClaim([kind, owner, rest]: Buffer[]): Claim {
  const request = (owner?.toString() ?? "") as RequestId;
  switch (kind?.toString()) {
    case "done":
    case "kept":
    case "busy":
      return { kind: kind.toString() as "done" | "kept" | "busy" };
    case "answered":
      return { kind: "answered", owner: request, sealed: rest ?? Buffer.alloc(0) };
    default:
      return { kind: "claimed", owner: request, abandonedCall: rest?.toString() === "1" };
  }
}
