import type { OutcomeRecord, OutcomeStream } from "../domain/record.js";
import type { SinkPosition } from "../domain/sink.js";
import type { Keys } from "./keys.js";
import { imagePart, NEW_MARK, outcomeLetter } from "./mark.js";
import type { OutcomeJob } from "./outcomes.js";
import { loadScript, type Redis } from "./redis.js";

/** Lua: marks a request as recorded, and counts it in its batch; returns the letter of the outcome that it had before. */
export const SET_RECORDED = `
    local function setRecorded(batch, requests, request, letter, generation, image)
      local mark = redis.call('HGET', requests, request)
      if not mark then
        mark = '${NEW_MARK}'
        redis.call('HINCRBY', batch, 'found', 1)
      end
      local before, recorded, published = string.sub(mark, 1, 1), string.sub(mark, 2, 2), string.sub(mark, 3, 3)
      if before ~= '-' then redis.call('HINCRBY', batch, 'outcome:' .. before, -1) end
      if recorded ~= '-' then redis.call('HINCRBY', batch, 'recorded:' .. recorded, -1) end
      if generation ~= '-' then redis.call('HINCRBY', batch, 'recorded:' .. generation, 1) end
      if published < generation then published = generation end
      redis.call('HSET', requests, request, letter .. generation .. published .. image)
      redis.call('HINCRBY', batch, 'outcome:' .. letter, 1)
      return before
    end`;

/**
 * Records outcomes as written: marks, the batch's accounts and the sink's position change together or not at all, and with
 * them the outcomes go from their queue: none is recorded and there to be recorded once more. They go first, since a Redis that
 * is full lets a script write that has begun with giving room.
 * KEYS: sink, superseded, then batch and requests an outcome.
 * ARGV: position as JSON ("" to leave it), then an outcome: request, outcome letter, generation, image part, beginning of its
 * queue's keys ("" for none) and job id.
 * An outcome that a request had before is superseded: its line is to go when the sink is compacted.
 * What was written has made the position another one: the present position once more means that the reply was lost.
 */
const COMMIT = {
  name: "cardbatchCommit",
  keys: "counted" as const,
  lua: `
    ${SET_RECORDED}
    if ARGV[1] ~= '' and #ARGV > 1 and redis.call('HGET', KEYS[1], 'position') == ARGV[1] then return end
    for i = 2, #ARGV, 6 do
      local queue, job = ARGV[i + 4], ARGV[i + 5]
      if queue ~= '' then
        redis.call('LREM', queue .. 'wait', -1, job)
        redis.call('DEL', queue .. job)
      end
    end
    if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], 'position', ARGV[1]) end
    for i = 2, #ARGV, 6 do
      local request, letter, generation, image = unpack(ARGV, i, i + 3)
      local at = 3 + (i - 2) / 3
      local batch, requests = KEYS[at], KEYS[at + 1]
      local before = setRecorded(batch, requests, request, letter, generation, image)
      if before ~= '-' then
        local stream = (before == 'f' or before == 'r') and 'F' or 'R'
        redis.call('HINCRBY', KEYS[2], stream .. request, 1)
      end
    end`,
};

/**
 * KEYS: superseded, dropped so far. ARGV: a field a line. Of a request with n superseded lines the first n go.
 */
const DROP = {
  name: "cardbatchDrop",
  keys: 2,
  lua: `
    local drops = {}
    for i = 1, #ARGV do
      local count = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
      drops[i] = count > 0 and redis.call('HINCRBY', KEYS[2], ARGV[i], 1) <= count and 1 or 0
    end
    return drops`,
};

/** One outcome to record, with the generation it was made in. */
export interface WrittenOutcome {
  readonly record: OutcomeRecord;
  readonly generation: string;
  /** Where it waits to be recorded, if it does. */
  readonly job?: OutcomeJob;
}

/** What one sink has recorded. */
export interface Recorder {
  /** Null: this sink has recorded nothing that Redis knows of. */
  position(): Promise<SinkPosition | null>;
  /** @param position after these outcomes were written, and no sooner; null leaves it as it is */
  commit(position: SinkPosition | null, outcomes: readonly WrittenOutcome[]): Promise<void>;
  /** How many requests have lines that a later one has replaced. */
  supersededCount(): Promise<number>;
  /** Begins to go through the lines from the first. */
  startDropping(): Promise<void>;
  /** Of these lines' requests, in the order of the file: whether a later line has replaced this one. */
  drop(stream: OutcomeStream, requests: readonly string[]): Promise<boolean[]>;
  /** How far each sink that follows the files has got, by its place. */
  cursors(): Promise<Readonly<Record<string, SinkPosition>>>;
  setCursor(place: string, cursor: SinkPosition): Promise<void>;
  /** Compacted files are ready to take the place of the old ones; there the cursors are others. */
  compacting(position: SinkPosition, cursors?: Readonly<Record<string, SinkPosition>>): Promise<void>;
  /** The position that files had reached that were about to take the old ones' place when the process died, if so. */
  unfinishedCompaction(): Promise<SinkPosition | null>;
  compacted(position: SinkPosition): Promise<void>;
  /** The policy that what is recorded was judged by; null: not known. */
  policy(): Promise<string | null>;
  setPolicy(policy: string): Promise<void>;
  /** Forgets all of it. */
  reset(): Promise<void>;
}

export function createRecorder(redis: Redis, keys: Keys, sink: string): Recorder {
  const key = keys.sink(sink);
  const superseded = `${key}:superseded`;
  const dropped = `${key}:dropped`;
  const cursors = `${key}:cursors`;
  const commit = loadScript(redis, COMMIT);
  const drop = loadScript(redis, DROP);
  const readPosition = async (field: string) => {
    const text = await redis.hget(key, field);
    return text === null ? null : (JSON.parse(text) as SinkPosition);
  };
  return {
    position: () => readPosition("position"),
    commit: async (position, outcomes) => {
      const text = position === null ? "" : JSON.stringify(position);
      const names = outcomes.flatMap(({ record }) => [
        keys.batch(record.batch),
        keys.requests(record.batch, record.request),
      ]);
      const values = outcomes.flatMap(({ record, generation, job }) => [
        record.request,
        outcomeLetter(record.outcome),
        generation,
        imagePart(record.image.key),
        job?.queue ?? "",
        job?.id ?? "",
      ]);
      await commit(2 + names.length, key, superseded, ...names, text, ...values);
    },
    supersededCount: () => redis.hlen(superseded),
    startDropping: async () => void (await redis.del(dropped)),
    drop: async (stream, requests) => {
      const fields = requests.map((request) => (stream === "results" ? "R" : "F") + request);
      const replies = (await drop(superseded, dropped, ...fields)) as number[];
      return replies.map((reply) => reply === 1);
    },
    cursors: async () => parseAll(await redis.hgetall(cursors)),
    setCursor: async (place, cursor) => void (await redis.hset(cursors, place, JSON.stringify(cursor))),
    compacting: async (position, moved = {}) =>
      void (await redis.hset(key, { compacting: JSON.stringify(position), movedCursors: JSON.stringify(moved) })),
    unfinishedCompaction: () => readPosition("compacting"),
    compacted: async (position) => {
      const moved = Object.entries(JSON.parse((await redis.hget(key, "movedCursors")) ?? "{}"));
      const change = redis.multi().hset(key, "position", JSON.stringify(position));
      for (const [place, cursor] of moved) change.hset(cursors, place, JSON.stringify(cursor));
      await change.hdel(key, "compacting", "movedCursors").del(superseded, dropped).exec();
    },
    policy: () => redis.hget(key, "policy"),
    setPolicy: async (policy) => void (await redis.hset(key, "policy", policy)),
    reset: async () => void (await redis.del(key, cursors, superseded, dropped)),
  };
}

function parseAll(fields: Record<string, string>): Record<string, SinkPosition> {
  return Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, JSON.parse(text) as SinkPosition]));
}
