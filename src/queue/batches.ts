import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { Admission, Batch, BatchCounts, BatchMoney, BatchTerms, ProviderCounts } from "../domain/batch.js";
import { callsUnderWay, costAtRisk, costOf, countedProviders, isSpent } from "../domain/money.js";
import { JUDGING_RULES, OUTCOMES, type Outcome } from "../domain/reading.js";
import { RECORD_SCHEMA } from "../domain/record.js";
import type { CallWindow } from "../domain/window.js";
import { imageField, type Keys } from "./keys.js";
import { FIRST_GENERATION, isDone, NEW_MARK, nextGeneration, outcomeLetter } from "./mark.js";
import { loadScript, type Redis } from "./redis.js";

/**
 * KEYS: batch, then a request bucket and an image bucket an entry.
 * ARGV: a generation of which only recorded outcomes are trusted ("" for none), then request and image field ("" for none)
 * an entry.
 */
const ADMIT = {
  name: "cardbatchAdmit",
  keys: "counted" as const,
  lua: `
    local marks, found = {}, 0
    for i = 2, #ARGV, 2 do
      local mark = '${NEW_MARK}'
      if redis.call('HSETNX', KEYS[i], ARGV[i], mark) == 1 then
        found = found + 1
      else
        mark = redis.call('HGET', KEYS[i], ARGV[i])
        if ARGV[1] ~= '' and string.sub(mark, 3, 3) == ARGV[1] and string.sub(mark, 2, 2) ~= ARGV[1] then
          mark = string.sub(mark, 1, 2) .. '-' .. string.sub(mark, 4)
          redis.call('HSET', KEYS[i], ARGV[i], mark)
        end
      end
      marks[#marks + 1] = mark
      if ARGV[i + 1] ~= '' then redis.call('HSETNX', KEYS[i + 1], ARGV[i + 1], ARGV[i]) end
    end
    if found > 0 then redis.call('HINCRBY', KEYS[1], 'found', found) end
    return marks`,
};

type Settled = Pick<Batch, "providers" | "thresholds" | "destination" | "sources">;

export interface OpenBatch extends Settled {
  readonly name: string;
  /** @default what the batch has */
  readonly terms?: BatchTerms;
  /** Call although answered. */
  readonly refresh: boolean;
}

/** What decides a verdict, as one word: with any of it changed, what is done must be judged again. */
export function policyOf({ providers, thresholds }: Pick<Settled, "providers" | "thresholds">): string {
  return JSON.stringify([RECORD_SCHEMA, JUDGING_RULES, providers, thresholds]);
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
  /** Makes the batch, or opens it again; what has changed since decides whether its outcomes still stand. */
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
  /**
   * Adds calls that lines of an earlier run tell of, when the accounts themselves were lost. What became of those that are
   * not among the billable ones nobody knows any more: they are uncertain.
   */
  addCalls(name: string, provider: ProviderName, calls: number, billable: number): Promise<void>;
  counts(name: string): Promise<BatchCounts>;
  /** Forgets its requests and what became of them, for a sink that starts from nothing; answers and calls stay. */
  reset(name: string): Promise<void>;
  rememberRoots(folders: readonly string[]): Promise<void>;
  rememberedRoots(): Promise<string[]>;
}

export function createBatches(redis: Redis, keys: Keys): Batches {
  const admit = loadScript(redis, ADMIT);

  return {
    open: async (options) => {
      const before = await redis.hgetall(keys.batch(options.name));
      const { batch, asked } = reopen(before, options, await serverTimeMs(redis));
      const allowed = serializeTerms(options.terms ?? {}, options.providers);
      const policy = policyOf(options);
      await redis.hset(keys.batch(batch.name), { ...serialize(batch), ...asked, ...allowed, policy, fed: "0" });
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
      ]);
      const distrusted = trust === "recorded" ? batch.generation : "";
      const marks = (await admit(
        1 + names.length,
        keys.batch(batch.name),
        ...names,
        distrusted,
        ...values,
      )) as string[];
      return pages.map(({ imageKey }, i) => !isDone(marks[i] ?? NEW_MARK, batch.generation, imageKey));
    },
    setFed: async (name, fed) => void (await redis.hset(keys.batch(name), "fed", fed ? "1" : "0")),
    addCalls: async (name, provider, calls, billable) => {
      const rest = provider === "local" ? freeField(provider) : uncertainField(provider);
      const batch = keys.batch(name);
      await redis.hincrby(batch, callField(provider), calls);
      await redis.hincrby(batch, billableField(provider), billable);
      if (calls > billable) await redis.hincrby(batch, rest, calls - billable);
    },
    counts: async (name) => toCounts(await redis.hgetall(keys.batch(name))),
    reset: async (name) => {
      const all = [...keys.marks(name)];
      for (let i = 0; i < all.length; i += 512) await redis.unlink(...all.slice(i, i + 512));
      const recorded = (await redis.hkeys(keys.batch(name))).filter((field) => field.startsWith("recorded:"));
      await redis.hdel(keys.batch(name), "found", "fed", ...recorded, ...OUTCOMES.map(outcomeField));
    },
    rememberRoots: async (folders) => {
      if (folders.length > 0) await redis.sadd(keys.roots(), ...folders);
    },
    rememberedRoots: () => redis.smembers(keys.roots()),
  };
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

function serialize(batch: Batch): Record<string, string> {
  return {
    generation: batch.generation,
    refreshSinceMs: String(batch.refreshSinceMs),
    window: JSON.stringify(batch.window),
    settled: JSON.stringify({
      providers: batch.providers,
      thresholds: batch.thresholds,
      destination: batch.destination,
      sources: batch.sources,
    } satisfies Settled),
  };
}

function deserialize(name: string, fields: Record<string, string>): Batch | null {
  if (fields.settled === undefined || fields.generation === undefined) return null;
  return {
    name,
    ...(JSON.parse(fields.settled) as Settled),
    generation: fields.generation,
    refreshSinceMs: Number(fields.refreshSinceMs ?? 0),
    window: parseJson<CallWindow>(fields.window),
  };
}

function parseJson<T>(text: string | undefined): T | null {
  return text === undefined ? null : (JSON.parse(text) as T | null);
}

/** Of what is not given there is no field, and the batch keeps its own. */
function serializeTerms({ maxCalls, budget, prices = {} }: BatchTerms, providers: readonly ProviderName[]) {
  const priced = Object.entries(prices).map(([name, price]) => [priceField(name as ProviderName), String(price)]);
  return {
    ...(maxCalls === undefined ? {} : { [LIMIT_FIELDS.maxCalls]: String(maxCalls ?? "") }),
    ...(budget === undefined ? {} : { [LIMIT_FIELDS.budget]: String(budget ?? "") }),
    [LIMIT_FIELDS.of]: countedProviders(providers).join(","),
    ...Object.fromEntries(priced),
  };
}

function toCounts(fields: Record<string, string>): BatchCounts {
  const count = (field: string) => Number(fields[field] ?? 0);
  const outcomes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, count(outcomeField(outcome))]));
  const ended = Object.values(outcomes).reduce((sum, value) => sum + value, 0);
  const providers: Partial<Record<ProviderName, ProviderCounts>> = {};
  for (const provider of PROVIDER_NAMES) {
    if (fields[callField(provider)] === undefined && fields[uncertainField(provider)] === undefined) continue;
    providers[provider] = {
      calls: count(callField(provider)),
      billableCalls: count(billableField(provider)),
      uncertainCalls: count(uncertainField(provider)),
    };
  }
  const found = count("found");
  return {
    found,
    outcomes: outcomes as Record<Outcome, number>,
    pending: found - ended,
    stale: ended - count(`recorded:${fields.generation ?? FIRST_GENERATION}`),
    providers,
    money: toMoney(fields),
    fed: fields.fed === "1",
  };
}

function toMoney(fields: Record<string, string>): BatchMoney {
  const count = (field: string) => Number(fields[field] ?? 0);
  const limit = (field: string) => (fields[field] === undefined || fields[field] === "" ? null : count(field));
  const of = <T>(its: (name: ProviderName) => T) =>
    Object.fromEntries(PROVIDER_NAMES.map((name) => [name, its(name)])) as Record<ProviderName, T>;
  const fates = of((name) => ({
    calls: count(callField(name)),
    billable: count(billableField(name)),
    uncertain: count(uncertainField(name)),
    refused: count(refusedField(name)),
    free: count(freeField(name)),
  }));
  const prices = of((name) => count(priceField(name)));
  const limits = { maxCalls: limit(LIMIT_FIELDS.maxCalls), budget: limit(LIMIT_FIELDS.budget) };
  const { providers = [] } = parseJson<Settled>(fields.settled) ?? {};
  return {
    limits,
    prices,
    cost: costOf(fates, prices),
    atRisk: costAtRisk(fates, prices),
    underWay: Object.values(fates).reduce((sum, its) => sum + callsUnderWay(its), 0),
    spent: isSpent(limits, fates, prices, providers),
  };
}

/** Fields of a batch's hash that the scripts read or count in. */
const LIMIT_FIELDS = { maxCalls: "limit:calls", budget: "limit:budget", of: "limit:of" } as const;
const priceField = (provider: ProviderName) => `price:${provider}`;
export const askedField = (provider: ProviderName) => `asked:${provider}`;
export const outcomeField = (outcome: Outcome) => `outcome:${outcomeLetter(outcome)}`;
export const callField = (provider: ProviderName) => `calls:${provider}`;
export const billableField = (provider: ProviderName) => `billable:${provider}`;
export const refusedField = (provider: ProviderName) => `refused:${provider}`;
export const freeField = (provider: ProviderName) => `free:${provider}`;
export const uncertainField = (provider: ProviderName) => `uncertain:${provider}`;
