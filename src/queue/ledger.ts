import type { AnswerLedger, CallAccount, Claim } from "../domain/ledger.js";
import type { RequestId } from "../domain/payload.js";
import { askedField, billableField, callField, uncertainField } from "./batches.js";
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
 * A mark in flight is `presence|deadline|batch`: the deadline of the call that is under way, in server time. While none is, it
 * is `presence||` and the claim's number, by which a claim that is asked for twice, because its reply was lost, is known.
 *
 * KEYS: requests, images, answer, in-flight mark.
 * An outcome from before stands for an answer that is no longer kept, if that answer can be behind it: it was recorded
 * since the provider has been asked in this batch, or taken over from files.
 */
const CLAIM = {
  name: "cardbatchClaim",
  keys: 4,
  lua: `${NOW}
    local request, generation, image, field, claim, claimMs, presences, refreshSince, mayStand, batches, name, asked, uncertain
      = unpack(ARGV)
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
    local flying = redis.call('GET', KEYS[4])
    if flying and flying ~= claim then
      local who, limit, batch = string.match(flying, '^([^|]*)|([^|]*)|(.*)$')
      local deadline = tonumber(limit)
      local alive = redis.call('EXISTS', presences .. who) == 1
      if alive and not (deadline and now > deadline) then return {'busy'} end
      if deadline then redis.call('HINCRBY', batches .. batch, uncertain, 1) end
    end
    redis.call('SET', KEYS[4], claim, 'PX', claimMs)
    return {'claimed', owner}`,
};

/**
 * KEYS: in-flight mark, pace, batch.
 * ARGV: own presence, ms until the call's deadline, ms to keep the mark, field of calls, name of the batch.
 * A call that is marked already was counted, and the reply was lost.
 */
const MARK_SENT = {
  name: "cardbatchMarkSent",
  keys: 3,
  lua: `${NOW}
    local hold = tonumber(redis.call('HGET', KEYS[2], 'holdUntil') or '0') / 1000 - now
    if hold > 0 then return math.ceil(hold) end
    local flying = redis.call('GET', KEYS[1]) or ''
    if string.match(flying, '^([^|]*)|%d') ~= ARGV[1] then redis.call('HINCRBY', KEYS[3], ARGV[4], 1) end
    redis.call('SET', KEYS[1], ARGV[1] .. '|' .. (now + ARGV[2]) .. '|' .. ARGV[5], 'PX', ARGV[3])
    return 0`,
};

/**
 * KEYS: answer, in-flight mark, batch.
 * ARGV: own presence, sealed answer ("" for none), ms to keep it, refresh since, then fields and what to add to them.
 * The first answer stays, unless it is older than a refresh. With no mark there this was settled already, and the reply was
 * lost.
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
    if not flying then return end
    if string.sub(flying, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[2]) end
    for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end`,
};

export interface LedgerOptions {
  /** This process, as `Presence` names it. */
  readonly presence: string;
  /** How long an answer is kept. @unit milliseconds */
  readonly retentionMs: number;
}

/**
 * The ledger in Redis. Each step is one script, so that a crash falls between steps and never inside one; and each may be
 * sent twice, since the client repeats what it has no reply to when its connection breaks.
 */
export function createLedger(redis: Redis, keys: Keys, { presence, retentionMs }: LedgerOptions): AnswerLedger {
  const claim = loadBinaryScript(redis, CLAIM);
  const markSent = loadScript(redis, MARK_SENT);
  const settle = loadScript(redis, SETTLE);
  let claims = 0;

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
        `${presence}||${++claims}`,
        CLAIM_MS,
        keys.owner(""),
        context.refreshSinceMs,
        context.outcomeMayStand ? 1 : 0,
        keys.batch(""),
        batch,
        askedField(context.provider),
        uncertainField(context.provider),
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
      return { kind: "claimed", owner: request };
  }
}
