import type { ProviderName } from "../domain/answer.js";
import type { Admission, Batch, BatchCounts, BatchTerms, Halt } from "../domain/batch.js";
import { OUTCOMES } from "../domain/reading.js";
import type { CallWindow } from "../domain/window.js";
import {
  askedField,
  billableField,
  callField,
  deserialize,
  freeField,
  HALT_FIELD,
  haltOf,
  outcomeField,
  parseJson,
  policyOf,
  type Settled,
  serialize,
  serializeTerms,
  toCounts,
  uncertainField,
} from "./batch-hash.js";
import { imageField, type Keys } from "./keys.js";
import { FIRST_GENERATION, imagePart, isDone, NEW_MARK, nextGeneration } from "./mark.js";
import { createRecorder } from "./recorder.js";
import { loadScript, type Redis } from "./redis.js";

/**
 * KEYS: batch, then a request bucket and an image bucket an entry.
 * ARGV: generation, what outcomes are trusted (`published` or `recorded`), then request, image field ("" for none) and image
 * part an entry.
 * The outcome of a file that was replaced does not stand any more: until the new one is recorded the batch is not complete.
 */
const ADMIT = {
  name: "cardbatchAdmit",
  keys: "counted" as const,
  lua: `
    local marks, found = {}, 0
    local generation, trust = ARGV[1], ARGV[2]
    for i = 3, #ARGV, 3 do
      local request, field, image = ARGV[i], ARGV[i + 1], ARGV[i + 2]
      local at = 2 + (i - 3) / 3 * 2
      local mark = '${NEW_MARK}'
      if redis.call('HSETNX', KEYS[at], request, mark) == 1 then
        found = found + 1
      else
        mark = redis.call('HGET', KEYS[at], request)
        local recorded, published, before = string.sub(mark, 2, 2), string.sub(mark, 3, 3), string.sub(mark, 4)
        if field ~= '' and recorded == generation and before ~= image and before ~= '${imagePart(null)}' then
          mark = string.sub(mark, 1, 1) .. '--' .. before
          redis.call('HSET', KEYS[at], request, mark)
          redis.call('HINCRBY', KEYS[1], 'recorded:' .. generation, -1)
        elseif trust == 'recorded' and published == generation and recorded ~= generation then
          mark = string.sub(mark, 1, 2) .. '-' .. before
          redis.call('HSET', KEYS[at], request, mark)
        end
      end
      marks[#marks + 1] = mark
      if field ~= '' then redis.call('HSETNX', KEYS[at + 1], field, request) end
    end
    if found > 0 then redis.call('HINCRBY', KEYS[1], 'found', found) end
    return marks`,
};

export interface OpenBatch extends Settled {
  readonly name: string;
  /** @default what the batch has */
  readonly terms?: BatchTerms;
  /** Call although answered. */
  readonly refresh: boolean;
}

/**
 * What makes a request done: that its outcome was published, and so is on its way to the sink; or, where outcomes may have
 * got lost on that way, that it was recorded.
 */
export type Trust = "published" | "recorded";

export interface PreviewedBatch {
  readonly batch: Batch;
  /** The generation since which a provider has been asked in it. */
  readonly askedSince: (provider: ProviderName) => string;
  readonly counts: BatchCounts;
}

/** The batches in Redis: their settings, marks and accounts. */
export interface Batches {
  /**
   * Makes the batch, or opens it again; what has changed since decides whether its outcomes still stand. One that was
   * cancelled may go on, one that was paused stays so.
   */
  open(options: OpenBatch): Promise<Batch>;
  /** What `open` would make of it; changes nothing. */
  preview(options: OpenBatch): Promise<PreviewedBatch>;
  get(name: string): Promise<Batch | null>;
  /** Which sink its outcomes are recorded for; null: none yet. */
  sink(name: string): Promise<string | null>;
  setSink(name: string, sink: string): Promise<void>;
  /** Whether each request still has to be enqueued; found grows by those never seen before. */
  admit(batch: Batch, pages: readonly Admission[], trust?: Trust): Promise<boolean[]>;
  setFed(name: string, fed: boolean): Promise<void>;
  halt(name: string): Promise<Halt | null>;
  /** Null: it may go on. */
  setHalt(name: string, halt: Halt | null): Promise<void>;
  /**
   * Adds calls that lines of an earlier run tell of, when the accounts themselves were lost. What became of those that are
   * not among the billable ones nobody knows any more: they are uncertain.
   */
  addCalls(name: string, provider: ProviderName, calls: number, billable: number): Promise<void>;
  counts(name: string): Promise<BatchCounts>;
  /** Forgets its requests and what became of them, for a sink that starts from nothing; answers and calls stay. */
  reset(name: string): Promise<void>;
  /**
   * Forgets batches that nobody has opened for a while and no schedule has, with all that is known of their requests and of what was written of
   * them; answers have a time of their own.
   * @returns their names
   */
  sweep(olderThanMs: number): Promise<string[]>;
  rememberRoots(folders: readonly string[]): Promise<void>;
  rememberedRoots(): Promise<string[]>;
}

export function createBatches(redis: Redis, keys: Keys): Batches {
  const admit = loadScript(redis, ADMIT);

  return {
    open: async (options) => {
      const before = await redis.hgetall(keys.batch(options.name));
      const nowMs = await serverTimeMs(redis);
      const { batch, asked } = reopen(before, options, nowMs);
      const allowed = serializeTerms(options.terms ?? {}, options.providers);
      const anew = { policy: policyOf(options), openedAtMs: String(nowMs), fed: "0" };
      await redis.hset(keys.batch(batch.name), { ...serialize(batch), ...asked, ...allowed, ...anew });
      if (before[HALT_FIELD] !== undefined && batch.halt === null) await redis.hdel(keys.batch(batch.name), HALT_FIELD);
      await redis.sadd(keys.batches(), batch.name);
      return batch;
    },
    preview: async (options) => {
      const before = await redis.hgetall(keys.batch(options.name));
      const { batch, asked } = reopen(before, options, await serverTimeMs(redis));
      const after = { ...before, ...serialize(batch), ...serializeTerms(options.terms ?? {}, options.providers) };
      const of = (provider: ProviderName) => asked[askedField(provider)] ?? batch.generation;
      return { batch, askedSince: of, counts: toCounts(after) };
    },
    get: async (name) => deserialize(name, await redis.hgetall(keys.batch(name))),
    sink: (name) => redis.hget(keys.batch(name), "sink"),
    setSink: async (name, sink) => void (await redis.hset(keys.batch(name), "sink", sink)),
    admit: async (batch, pages, trust = "published") => {
      const names = pages.flatMap(({ request, imageKey, page }) => {
        const field = imageKey === null ? "" : imageField(imageKey, page);
        const images = keys.images(batch.name, field === "" ? request : field);
        return [keys.requests(batch.name, request), images] as const;
      });
      const values = pages.flatMap(({ request, imageKey, page }) => [
        request,
        imageKey === null ? "" : imageField(imageKey, page),
        imagePart(imageKey),
      ]);
      const marks = (await admit(
        1 + names.length,
        keys.batch(batch.name),
        ...names,
        batch.generation,
        trust,
        ...values,
      )) as string[];
      return pages.map(({ imageKey }, i) => !isDone(marks[i] ?? NEW_MARK, batch.generation, imageKey));
    },
    setFed: async (name, fed) => void (await redis.hset(keys.batch(name), "fed", fed ? "1" : "0")),
    halt: async (name) => haltOf(await redis.hget(keys.batch(name), HALT_FIELD)),
    setHalt: async (name, halt) => {
      if (halt === null) await redis.hdel(keys.batch(name), HALT_FIELD);
      else await redis.hset(keys.batch(name), HALT_FIELD, halt);
    },
    addCalls: async (name, provider, calls, billable) => {
      const rest = provider === "local" ? freeField(provider) : uncertainField(provider);
      const batch = keys.batch(name);
      await redis.hincrby(batch, callField(provider), calls);
      await redis.hincrby(batch, billableField(provider), billable);
      if (calls > billable) await redis.hincrby(batch, rest, calls - billable);
    },
    counts: async (name) => toCounts(await redis.hgetall(keys.batch(name))),
    reset: async (name) => {
      await unlinkMarks(redis, keys, name);
      const recorded = (await redis.hkeys(keys.batch(name))).filter((field) => field.startsWith("recorded:"));
      await redis.unlink(keys.failures(name));
      await redis.hdel(keys.batch(name), "found", "fed", ...recorded, ...OUTCOMES.map(outcomeField));
    },
    sweep: async (olderThanMs) => {
      const nowMs = await serverTimeMs(redis);
      const swept: string[] = [];
      for (const name of await redis.smembers(keys.batches())) {
        const [openedAt, sink] = await redis.hmget(keys.batch(name), "openedAtMs", "sink");
        const isLive = (await redis.exists(keys.lease(`batch:${name}`))) === 1;
        const isScheduled = (await redis.sismember(keys.schedules(), name)) === 1;
        if (isLive || isScheduled || nowMs - Number(openedAt ?? nowMs) <= olderThanMs) continue;
        await unlinkMarks(redis, keys, name);
        if (sink != null) await createRecorder(redis, keys, sink).reset();
        await redis.del(keys.batch(name), keys.failures(name), keys.reviews(name));
        await redis.srem(keys.batches(), name);
        swept.push(name);
      }
      return swept;
    },
    rememberRoots: async (folders) => {
      if (folders.length > 0) await redis.sadd(keys.roots(), ...folders);
    },
    rememberedRoots: () => redis.smembers(keys.roots()),
  };
}

async function unlinkMarks(redis: Redis, keys: Keys, batch: string): Promise<void> {
  const all = [...keys.marks(batch)];
  for (let i = 0; i < all.length; i += 512) await redis.unlink(...all.slice(i, i + 512));
}

/** The batch as it is once it is opened with these options. */
function reopen(before: Record<string, string>, { name, refresh, terms = {}, ...settled }: OpenBatch, nowMs: number) {
  const { providers, thresholds, destination, sources } = settled;
  const generation = before.generation ?? FIRST_GENERATION;
  const isReopened = before.policy !== undefined && (before.policy !== policyOf(settled) || refresh);
  const batch: Batch = {
    name,
    providers,
    thresholds,
    destination,
    sources,
    generation: isReopened ? nextGeneration(generation) : generation,
    refreshSinceMs: refresh ? nowMs : Number(before.refreshSinceMs ?? 0),
    window: terms.window === undefined ? parseJson<CallWindow>(before.window) : terms.window,
    halt: haltOf(before[HALT_FIELD]) === "paused" ? "paused" : null,
  };
  return { batch, asked: askedSince(batch, deserialize(name, before), refresh ? {} : before) };
}

/** Answers are dated by the server's clock, which is everybody's. */
async function serverTimeMs(redis: Redis): Promise<number> {
  const [seconds, us] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(us) / 1000);
}

/** Since which generation each provider has been asked without a break: outcomes from before it don't rest on its answers. */
function askedSince(batch: Batch, last: Batch | null, before: Record<string, string>): Record<string, string> {
  const fields = batch.providers.map((provider) => {
    const since = last?.providers.includes(provider) === true ? before[askedField(provider)] : undefined;
    return [askedField(provider), since ?? batch.generation];
  });
  return Object.fromEntries(fields);
}
