import { createHash } from "node:crypto";
import type { OutcomeRecord } from "../domain/record.js";
import type { Keys } from "./keys.js";
import { imagePart, outcomeLetter } from "./mark.js";
import type { ReceivedOutcome } from "./outcome-reader.js";
import { SET_RECORDED } from "./recorder.js";
import { loadScript, type Redis } from "./redis.js";

const BY_OUTCOME = 9;

/**
 * Stores outcomes for those who asked over HTTP, and whatever follows from that, together with taking them off their queue:
 * each is stored once, and told once it is stored.
 * KEYS: accepting, webhooks, deliveries due, then batch, its requests, its order and the request's hash an outcome.
 * ARGV: prefix, seconds that outcomes are kept, now, then an outcome: request, letter, generation, image part, beginning of its
 * queue's keys, job id, page, record, delivery id.
 * Returns the staged files that nobody needs any more.
 */
const STORE = {
  name: "cardbatchStoreOutcomes",
  keys: "counted" as const,
  lua: `
    ${SET_RECORDED}
    local prefix, keep, now = ARGV[1], ARGV[2], ARGV[3]
    local spent = {}
    local function settleUpload(name, page, letter)
      local upload = prefix .. ':api:upload:' .. name
      if letter == 'f' then redis.call('HSET', upload, page, 'failed') else redis.call('HDEL', upload, page) end
      local left = redis.call('HVALS', upload)
      if #left == 0 then spent[#spent + 1] = name end
      for _, state in ipairs(left) do
        if state ~= 'failed' then return end
      end
      redis.call('EXPIRE', upload, keep)
    end
    for i = 4, #ARGV, ${BY_OUTCOME} do
      local request, letter, generation, image, queue, job, page, record, delivery = unpack(ARGV, i, i + ${BY_OUTCOME - 1})
      local at = 4 + (i - 4) / ${BY_OUTCOME} * 4
      local batch, requests, order, stored = unpack(KEYS, at, at + 3)
      redis.call('LREM', queue .. 'wait', -1, job)
      if redis.call('DEL', queue .. job) == 1 then
        setRecorded(batch, requests, request, letter, generation, image)
        local received = redis.call('HGET', stored, 'received')
        local asked = received and cjson.decode(received) or {}
        local key = asked.key or redis.call('HGET', batch, 'api:key')
        redis.call('HSET', stored, 'outcome', record)
        if key then redis.call('HSET', stored, 'key', key) end
        redis.call('EXPIRE', stored, keep)
        redis.call('ZADD', order, redis.call('HINCRBY', batch, 'api:order', 1), request)
        redis.call('EXPIRE', order, keep)
        redis.call('ZREM', KEYS[1], request)
        if type(asked.upload) == 'string' then settleUpload(asked.upload, page, letter) end
        local webhook = type(asked.webhook) == 'string' and asked.webhook or redis.call('HGET', batch, 'api:webhook')
        if not webhook and key then webhook = redis.call('HGET', KEYS[2], key) end
        if webhook and key then
          local name = prefix .. ':api:dlv:' .. delivery
          redis.call('HSET', name, 'request', request, 'key', key, 'webhook', webhook, 'attempts', 0, 'since', now, 'state', 'due')
          redis.call('EXPIRE', name, keep)
          redis.call('ZADD', KEYS[3], now, delivery)
        end
      end
    end
    return spent`,
};

/** Where outcomes are kept for those who asked over HTTP. */
export interface OutcomeStore {
  /** @returns the staged files that nobody needs any more */
  record(outcomes: readonly ReceivedOutcome[]): Promise<string[]>;
}

/** @param keepS how long outcomes are kept. @unit seconds */
export function createOutcomeStore(redis: Redis, keys: Keys, keepS: number): OutcomeStore {
  const store = loadScript(redis, STORE);
  return {
    record: async (outcomes) => {
      const names = outcomes.flatMap(({ record }) => [
        keys.batch(record.batch),
        keys.requests(record.batch, record.request),
        keys.apiOutcomes(record.batch),
        keys.apiRequest(record.request),
      ]);
      const values = outcomes.flatMap(({ record, generation, job }) => [
        record.request,
        outcomeLetter(record.outcome),
        generation,
        imagePart(record.image.key),
        job.queue,
        job.id,
        record.image.page,
        JSON.stringify(record),
        deliveryId(record),
      ]);
      const shared = [keys.apiAccepting(), keys.apiWebhooks(), keys.deliveriesDue()];
      return (await store(
        shared.length + names.length,
        ...shared,
        ...names,
        keys.prefix,
        keepS,
        Date.now(),
        ...values,
      )) as string[];
    },
  };
}

/** Names the telling of an outcome, the same however often it is told; another outcome of the request is told by another name. */
function deliveryId(record: OutcomeRecord): string {
  const digest = createHash("sha256").update(JSON.stringify(record)).digest("base64url");
  return `msg_${digest.slice(0, 24)}`;
}
