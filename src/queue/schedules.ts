import { type EndedRun, endedRunSchema, runSchema, type ScheduledRun, type ScheduleState } from "../domain/schedule.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/**
 * A run's id is set if there is none: of all who see that a schedule is due one begins the run. Due times only grow, so that
 * the last one dealt with stands for all before it.
 * KEYS: schedule. ARGV: due time ("" for a run by hand), the run as JSON.
 */
const BEGIN = {
  name: "cardbatchBeginRun",
  keys: 1,
  lua: `
    local handled, run, due = redis.call('HGET', KEYS[1], 'handledMs'), redis.call('HGET', KEYS[1], 'run'), ARGV[1]
    if not handled then return 0 end
    if run == ARGV[2] then return 1 end
    if due ~= '' then
      if tonumber(due) <= tonumber(handled) then return 0 end
      if not run then redis.call('HSET', KEYS[1], 'handledMs', due) end
    end
    if run then return 0 end
    redis.call('HSET', KEYS[1], 'run', ARGV[2])
    return 1`,
};

/** Refuses a due time because a run is going on. KEYS: schedule. ARGV: due time. */
const REFUSE = {
  name: "cardbatchRefuseRun",
  keys: 1,
  lua: `
    local handled, run = redis.call('HGET', KEYS[1], 'handledMs'), redis.call('HGET', KEYS[1], 'run')
    if not handled or not run or tonumber(ARGV[1]) <= tonumber(handled) then return 0 end
    redis.call('HSET', KEYS[1], 'handledMs', ARGV[1])
    redis.call('HINCRBY', KEYS[1], 'refused', 1)
    return 1`,
};

/**
 * Ends the run that is going on, if it is this one. KEYS: schedule.
 * ARGV: the run as JSON, the ended run as JSON, its start and its end if it succeeded, else "".
 */
const END = {
  name: "cardbatchEndRun",
  keys: 1,
  lua: `
    if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 0 end
    redis.call('HDEL', KEYS[1], 'run')
    redis.call('HSET', KEYS[1], 'last', ARGV[2])
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'succeededStartMs', ARGV[3], 'succeededAtMs', ARGV[4]) end
    return 1`,
};

/** One schedule as Redis keeps it. */
export interface StoredSchedule {
  readonly name: string;
  /** What it says, encrypted. */
  readonly sealed: string;
  readonly state: ScheduleState;
}

/** The schedules in Redis. */
export interface Schedules {
  /** Makes a schedule, or changes one: what became of its runs stays. Nothing that was due before is made up. */
  set(name: string, sealed: string, nowMs: number): Promise<void>;
  /** @returns whether there was one */
  remove(name: string): Promise<boolean>;
  get(name: string): Promise<StoredSchedule | null>;
  count(): Promise<number>;
  /** By name. */
  list(): Promise<StoredSchedule[]>;
  /**
   * Has this run begin, once. @param dueMs null: by hand
   * @returns false: the due time has had its run, or one is going on
   */
  begin(name: string, dueMs: number | null, run: ScheduledRun): Promise<boolean>;
  /** Refuses a due time its run. @returns false: it had been dealt with */
  refuse(name: string, dueMs: number): Promise<boolean>;
  end(name: string, run: ScheduledRun, ended: EndedRun): Promise<void>;
  /** When schedules were last looked at. @unit Unix time in ms */
  seenMs(): Promise<number>;
  setSeen(nowMs: number): Promise<void>;
}

export function createSchedules(redis: Redis, keys: Keys): Schedules {
  const begin = loadScript(redis, BEGIN);
  const refuse = loadScript(redis, REFUSE);
  const end = loadScript(redis, END);
  const get = async (name: string) => toSchedule(name, await redis.hgetall(keys.schedule(name)));
  return {
    set: async (name, sealed, nowMs) => {
      const settled = { definition: sealed, settledAtMs: String(nowMs), handledMs: String(nowMs) };
      await redis.multi().hset(keys.schedule(name), settled).sadd(keys.schedules(), name).exec();
    },
    remove: async (name) => {
      await redis.srem(keys.schedules(), name);
      return (await redis.del(keys.schedule(name))) > 0;
    },
    get,
    count: () => redis.scard(keys.schedules()),
    list: async () => {
      const names = (await redis.smembers(keys.schedules())).sort();
      const found = await Promise.all(names.map(get));
      return found.filter((schedule) => schedule !== null);
    },
    begin: async (name, dueMs, run) =>
      (await begin(keys.schedule(name), dueMs === null ? "" : String(dueMs), JSON.stringify(run))) === 1,
    refuse: async (name, dueMs) => (await refuse(keys.schedule(name), dueMs)) === 1,
    end: async (name, run, ended) => {
      const times = ended.result === "succeeded" ? [ended.startedAtMs, ended.endedAtMs] : ["", ""];
      await end(keys.schedule(name), JSON.stringify(run), JSON.stringify(ended), ...times);
    },
    seenMs: async () => Number((await redis.get(keys.schedulesSeen())) ?? 0),
    setSeen: async (nowMs) => void (await redis.set(keys.schedulesSeen(), nowMs)),
  };
}

function toSchedule(name: string, fields: Record<string, string>): StoredSchedule | null {
  const { definition, settledAtMs = "0", handledMs = "0", run, last, succeededStartMs, succeededAtMs } = fields;
  if (definition === undefined) return null;
  const state = {
    settledAtMs: Number(settledAtMs),
    handledMs: Number(handledMs),
    run: run === undefined ? null : runSchema.parse(JSON.parse(run)),
    last: last === undefined ? null : endedRunSchema.parse(JSON.parse(last)),
    succeededStartMs: succeededStartMs === undefined ? null : Number(succeededStartMs),
    succeededAtMs: succeededAtMs === undefined ? null : Number(succeededAtMs),
    refused: Number(fields.refused ?? 0),
  };
  return { name, sealed: definition, state };
}
