import { setTimeout as sleep } from "node:timers/promises";
import type { EventSink } from "../domain/events.js";
import { outcomeQueueName } from "../domain/queue-names.js";
import { OUTCOME_STREAMS, type OutcomeRecord, type OutcomeStream, recordSchema } from "../domain/record.js";
import type { Keys } from "./keys.js";
import { generationOf, type OutcomeJob } from "./outcomes.js";
import { loadScript, type Redis } from "./redis.js";

/** Outcomes of either queue that are read together, and so share a write, a sync and a commit. */
const OUTCOMES_AT_A_TIME = 256;
/** Between two looks; what comes meanwhile is read together. */
const LOOK_MS = 50;
const NOT_RECORDED_MS = 1000;

/**
 * Reads the oldest outcomes and leaves them where they are: recording them takes them away. What a consumer that is gone had
 * begun with, or put off until a time that has come, is put back once nothing else waits.
 * KEYS: waiting, active, settings, put off. ARGV: how many, what the keys of jobs begin with. Returns id and data of each.
 */
const READ = {
  name: "cardbatchReadOutcomes",
  keys: 4,
  lua: `
    if redis.call('HEXISTS', KEYS[3], 'paused') == 1 then return {} end
    local ids = redis.call('LRANGE', KEYS[1], -ARGV[1], -1)
    if #ids == 0 then
      for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, ARGV[1] - 1)) do
        if redis.call('EXISTS', ARGV[2] .. id .. ':lock') == 0 then
          redis.call('LREM', KEYS[2], 1, id)
          redis.call('LPUSH', KEYS[1], id)
        end
      end
      local due = (redis.call('TIME')[1] + 1) * 4096000
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', due, 'LIMIT', 0, ARGV[1])) do
        redis.call('ZREM', KEYS[4], id)
        redis.call('LPUSH', KEYS[1], id)
      end
    end
    local read = {}
    for i = #ids, 1, -1 do
      read[#read + 1] = ids[i]
      read[#read + 1] = redis.call('HGET', ARGV[2] .. ids[i], 'data') or ''
    end
    return read`,
};

/** An outcome as it lies on its queue. */
export interface ReceivedOutcome {
  readonly record: OutcomeRecord;
  readonly generation: string;
  readonly job: OutcomeJob;
}

export interface OutcomeReader {
  /** Reads no more, lets what was read be recorded, and ends. */
  close(): Promise<void>;
}

/**
 * Reads the outcomes of one destination off both its queues, again and again, as long as nobody takes them away: that is
 * what `record` does, whole groups at a time. There must be no other reader of the destination.
 * @param record rejects when they could not be recorded; they are read again
 */
export function createOutcomeReader(
  redis: Redis,
  keys: Keys,
  destination: string | null,
  record: (outcomes: readonly ReceivedOutcome[]) => Promise<void>,
  emit: EventSink,
): OutcomeReader {
  const streams = OUTCOME_STREAMS.map((stream) => openStream(redis, keys, stream, destination, emit));
  const closing = new AbortController();
  const pause = (ms: number) => sleep(ms, undefined, { signal: closing.signal }).catch(() => {});
  const readGroup = async () => (await Promise.all(streams.map((read) => read()))).flat();
  const readOn = async () => {
    while (!closing.signal.aborted) {
      try {
        // Nothing is lost with a read that Redis is too far away to answer.
        const group = await unlessAborted(readGroup(), [], closing.signal);
        if (group.length > 0) await record(group);
        if (group.length < OUTCOMES_AT_A_TIME) await pause(LOOK_MS);
      } catch {
        // Whoever was to record them has told what is wrong, and so has the connection.
        await pause(NOT_RECORDED_MS);
      }
    }
  };
  const reading = readOn();
  return {
    close: async () => {
      closing.abort();
      await reading;
    },
  };
}

/** What comes of `reading`, or `otherwise` once the signal fires. (A race with one lasting promise would keep every result.) */
function unlessAborted<T>(reading: Promise<T>, otherwise: T, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(otherwise);
    signal.addEventListener("abort", stop, { once: true });
    reading.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

function openStream(
  redis: Redis,
  keys: Keys,
  stream: OutcomeStream,
  destination: string | null,
  emit: EventSink,
): () => Promise<ReceivedOutcome[]> {
  const queue = `${keys.prefix}:${outcomeQueueName(stream, destination)}:`;
  const read = loadScript(redis, READ);
  /** Outcomes of a version that is not known here; they stay for somebody who knows it. */
  const unknown = new Set<string>();
  return async () => {
    const count = OUTCOMES_AT_A_TIME + unknown.size;
    const replies = (await read(
      ...["wait", "active", "meta", "delayed"].map((name) => queue + name),
      count,
      queue,
    )) as string[];
    const outcomes: ReceivedOutcome[] = [];
    for (let i = 0; i < replies.length; i += 2) {
      const [id = "", data = ""] = replies.slice(i, i + 2);
      const parsed = recordSchema.safeParse(parseJson(data));
      if (parsed.success) {
        outcomes.push({ record: parsed.data, generation: generationOf(id), job: { queue, id } });
      } else if (!unknown.has(id)) {
        unknown.add(id);
        emit({ type: "fault", where: `an outcome on card-${stream} of an unknown version`, error: null });
      }
    }
    return outcomes;
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
