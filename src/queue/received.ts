import type { RequestId } from "../domain/payload.js";
import { type Received, type RequestState, receivedSchema, requestStateSchema } from "../domain/received.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/** How long a request with an Idempotency-Key is known again. @unit seconds */
const IDEMPOTENCY_S = 24 * 3600;

/**
 * Takes requests in, all or none. KEYS: accepting, idempotency, upload, then the request's hash a page.
 * ARGV: now, seconds that an Idempotency-Key is kept ("" for none), what it is to remember, whether there is an upload, then id, page and JSON
 * a page. Returns what the Idempotency-Key remembers already; then nothing was changed.
 * A request that is known stays what it is.
 */
const RECEIVE = {
  name: "cardbatchReceive",
  keys: "counted" as const,
  lua: `
    if ARGV[2] ~= '' then
      local known = redis.call('GET', KEYS[2])
      if known then return known end
      redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
    end
    for i = 5, #ARGV, 3 do
      local request, page, received = unpack(ARGV, i, i + 2)
      local key = KEYS[4 + (i - 5) / 3]
      if redis.call('EXISTS', key) == 0 then
        redis.call('HSET', key, 'received', received)
        redis.call('ZADD', KEYS[1], ARGV[1], request)
        if ARGV[4] == '1' then redis.call('HSET', KEYS[3], page, 'waits') end
      end
    end
    return false`,
};

/** What is remembered of a request with an Idempotency-Key. */
export interface Remembered {
  /** Of everything that the caller sent. */
  readonly fingerprint: string;
  readonly requests: readonly RequestId[];
}

/** The requests that came in over HTTP. */
export interface ReceivedRequests {
  /**
   * Takes the pages of one image in. From then on they are there to be worked on, whatever happens to this process.
   * @param idempotency names the caller's attempt; null: each is one of its own
   * @returns what that name stands for already, if it does; nothing was taken in then
   */
  receive(
    pages: readonly Received[],
    idempotency: { readonly key: string; readonly digest: string; readonly fingerprint: string } | null,
  ): Promise<Remembered | null>;
  /** Those that were received and are still known. */
  get(requests: readonly RequestId[]): Promise<Received[]>;
  /** These are on the queue. */
  accepted(requests: readonly RequestId[]): Promise<void>;
  /** Received before `beforeMs`, and perhaps not on the queue. */
  unaccepted(beforeMs: number, limit: number): Promise<Received[]>;
  /** What is known of each; null: nothing, any more or yet. */
  states(requests: readonly string[]): Promise<(RequestState | null)[]>;
  /** Which have their outcome. */
  haveOutcomes(requests: readonly string[]): Promise<boolean[]>;
}

export function createReceivedRequests(redis: Redis, keys: Keys): ReceivedRequests {
  const receive = loadScript(redis, RECEIVE);
  return {
    receive: async (pages, idempotency) => {
      const [first] = pages;
      if (first === undefined) return null;
      const remember = { fingerprint: idempotency?.fingerprint ?? "", requests: pages.map(({ request }) => request) };
      const names = [
        keys.apiAccepting(),
        keys.apiIdempotency(idempotency?.key ?? "", idempotency?.digest ?? ""),
        keys.apiUpload(first.upload ?? ""),
        ...pages.map(({ request }) => keys.apiRequest(request)),
      ];
      const known = await receive(
        names.length,
        ...names,
        Date.now(),
        idempotency === null ? "" : IDEMPOTENCY_S,
        JSON.stringify(remember),
        first.upload === null ? "0" : "1",
        ...pages.flatMap((page) => [page.request, page.page, JSON.stringify(page)]),
      );
      return typeof known === "string" ? (JSON.parse(known) as Remembered) : null;
    },
    get: async (requests) => {
      const texts = await fieldOf(redis, keys, requests, "received");
      return texts.flatMap((text) => (text === null ? [] : receivedSchema.parse(JSON.parse(text))));
    },
    accepted: async (requests) => {
      if (requests.length > 0) await redis.zrem(keys.apiAccepting(), ...requests);
    },
    unaccepted: async (beforeMs, limit) => {
      const requests = await redis.zrangebyscore(keys.apiAccepting(), 0, beforeMs, "LIMIT", 0, limit);
      const texts = await fieldOf(redis, keys, requests, "received");
      const gone = requests.filter((_, i) => texts[i] === null);
      if (gone.length > 0) await redis.zrem(keys.apiAccepting(), ...gone);
      return texts.flatMap((text) => (text === null ? [] : receivedSchema.parse(JSON.parse(text))));
    },
    states: async (requests) => {
      const pipeline = redis.pipeline();
      for (const request of requests) pipeline.hmget(keys.apiRequest(request), "received", "outcome", "key");
      const replies = requests.length === 0 ? [] : ((await pipeline.exec()) ?? []);
      return replies.map(([, fields], i) => toState(requests[i] ?? "", fields as (string | null)[]));
    },
    haveOutcomes: async (requests) => {
      const pipeline = redis.pipeline();
      for (const request of requests) pipeline.hexists(keys.apiRequest(request), "outcome");
      const replies = requests.length === 0 ? [] : ((await pipeline.exec()) ?? []);
      return replies.map(([, exists]) => exists === 1);
    },
  };
}

async function fieldOf(
  redis: Redis,
  keys: Keys,
  requests: readonly string[],
  field: string,
): Promise<(string | null)[]> {
  const pipeline = redis.pipeline();
  for (const request of requests) pipeline.hget(keys.apiRequest(request), field);
  const replies = requests.length === 0 ? [] : ((await pipeline.exec()) ?? []);
  return replies.map(([, text]) => text as string | null);
}

/** From what was received, or where only the batch's images were named, from the outcome. */
function toState(request: string, [received, outcome, key]: readonly (string | null)[]): RequestState | null {
  if (received == null && outcome == null) return null;
  const asked = received == null ? null : receivedSchema.parse(JSON.parse(received));
  const record = outcome == null ? null : JSON.parse(outcome);
  return requestStateSchema.parse({
    request,
    key: asked?.key ?? key ?? null,
    batch: asked?.batch ?? record.batch,
    page: asked?.page ?? record.image.page,
    ref: asked === null ? record.ref : asked.ref,
    receivedAt: asked?.receivedAt ?? null,
    outcome: record,
  });
}
