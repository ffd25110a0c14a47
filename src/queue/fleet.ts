import type { BatchCounts } from "../domain/batch.js";
import type { FleetState } from "../domain/fleet.js";
import { OUTCOMES } from "../domain/reading.js";
import type { Batches } from "./batches.js";
import type { Keys } from "./keys.js";
import { countImages, countUnread } from "./queue-counts.js";
import { readPaces } from "./read-pace.js";
import { loadScript, type Redis } from "./redis.js";

/** Whoever tells and is not asked for so long tells no more; longer than between two scrapes. */
const TELLER_MS = 90_000;

/**
 * One process alive tells of the fleet: the first to be asked, until it is dead or nobody asks it any more.
 * KEYS: who tells. ARGV: own presence, ms that it is kept, what keys of presences begin with.
 */
const TELL = {
  name: "cardbatchTellFleet",
  keys: 1,
  lua: `
    local teller = redis.call('GET', KEYS[1])
    if teller and teller ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. teller) == 1 then return 0 end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1`,
};

/**
 * When the pages that have an outcome were last seen to be others. KEYS: progress. ARGV: how many they are, now.
 */
const PROGRESS = {
  name: "cardbatchFleetProgress",
  keys: 1,
  lua: `
    local seen = redis.call('HMGET', KEYS[1], 'done', 'at')
    if seen[1] == ARGV[1] then return seen[2] end
    redis.call('HSET', KEYS[1], 'done', ARGV[1], 'at', ARGV[2])
    return ARGV[2]`,
};

/** The figures that are everybody's. */
export interface Fleet {
  /** The figures, if this process is the one that tells them; null: another does. */
  tell(): Promise<Omit<FleetState, "schedules"> | null>;
}

/** @param presence this process, as `Presence` names it */
export function createFleet(redis: Redis, keys: Keys, batches: Batches, presence: string): Fleet {
  const mayTell = loadScript(redis, TELL);
  const progress = loadScript(redis, PROGRESS);
  return {
    tell: async () => {
      if ((await mayTell(keys.teller(), presence, TELLER_MS, keys.owner(""))) !== 1) return null;
      const open = await openBatches(redis, keys, batches);
      const pages = sumPages(open.map(({ counts }) => counts));
      const done = OUTCOMES.reduce((sum, outcome) => sum + pages[outcome], 0);
      const { workers, ...jobs } = await countImages(redis, keys);
      const paces = await readPaces(redis, keys);
      const live = paces.filter(({ told }) => told.length > 0);
      return {
        pages,
        lastProgressMs: Number(await progress(keys.progress(), done, Date.now())),
        paces: live.map(({ provider, rate, breaker }) => ({ provider, rate, breaker })),
        jobs,
        workers,
        unread: await sumUnread(redis, keys, [null, ...open.map(({ destination }) => destination)]),
        ...(await readMemory(redis)),
      };
    },
  };
}

interface OpenBatch {
  readonly destination: string | null;
  readonly counts: BatchCounts;
}

/** Batches that somebody runs or enqueues, and those that have pages without an outcome and may go on. */
async function openBatches(redis: Redis, keys: Keys, batches: Batches): Promise<OpenBatch[]> {
  const found: OpenBatch[] = [];
  for (const name of await redis.smembers(keys.batches())) {
    const counts = await batches.counts(name);
    const isLive = (await redis.exists(keys.lease(`batch:${name}`))) === 1;
    if (!isLive && (counts.pending <= 0 || counts.halt !== null)) continue;
    found.push({ destination: (await batches.get(name))?.destination ?? null, counts });
  }
  return found;
}

export function sumPages(counts: readonly BatchCounts[]): FleetState["pages"] {
  const sum = (of: (each: BatchCounts) => number) => counts.reduce((total, each) => total + of(each), 0);
  return {
    accepted: sum(({ outcomes }) => outcomes.accepted),
    review: sum(({ outcomes }) => outcomes.review),
    rejected: sum(({ outcomes }) => outcomes.rejected),
    failed: sum(({ outcomes }) => outcomes.failed),
    duplicate: sum(({ outcomes }) => outcomes.duplicate),
    pending: sum(({ pending }) => pending),
  };
}

async function sumUnread(redis: Redis, keys: Keys, destinations: readonly (string | null)[]): Promise<number> {
  let sum = 0;
  for (const destination of new Set(destinations)) sum += await countUnread(redis, keys, destination);
  return sum;
}

async function readMemory(redis: Redis): Promise<Pick<FleetState, "redisMemory" | "redisMaxMemory">> {
  const info = await redis.info("memory");
  const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
  const most = figure("maxmemory");
  return { redisMemory: figure("used_memory"), redisMaxMemory: most === 0 ? null : most };
}
