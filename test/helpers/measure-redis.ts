import type { Redis } from "../../src/queue/redis.js";

/** What a Redis weighs, and how much of that is its ledger: stored answers, and marks of requests and images. */
export interface RedisWeight {
  readonly usedBytes: number;
  /** Names with a time to live: the answers, and a handful for each image in work. */
  readonly answers: number;
  readonly answersBytes: number;
  readonly marksBytes: number;
  /** The tables of all names and of their times to live, which are as good as all the answers'. */
  readonly tablesBytes: number;
  /** All but the above. */
  readonly restBytes: number;
}

/** In one step, for work goes on meanwhile. ARGV: prefix, batch. */
const WEIGH = `
  local digits = '0123456789abcdefghijklmnopqrstuvwxyz'
  local marks = 0
  for bucket = 0, 4095 do
    local name, left = '', bucket
    repeat
      name = string.sub(digits, left % 36 + 1, left % 36 + 1) .. name
      left = math.floor(left / 36)
    until left == 0
    for _, kind in ipairs({'req', 'img'}) do
      local hash = ARGV[1] .. ':' .. kind .. ':' .. ARGV[2] .. ':' .. name
      marks = marks + (redis.call('MEMORY', 'USAGE', hash, 'SAMPLES', 0) or 0)
    end
  end
  return {redis.call('INFO', 'everything'), marks, redis.call('MEMORY', 'STATS')}`;

/** Of so many answers the weight is taken; the rest is like them. */
const ANSWERS_WEIGHED = 20_000;

export async function weighRedis(redis: Redis, prefix: string, batch: string): Promise<RedisWeight> {
  const [info, marksBytes, stats] = (await redis.eval(WEIGH, 0, prefix, batch)) as [string, number, unknown[]];
  const usedBytes = Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  const answers = Number(/^db0:.*expires=(\d+)/m.exec(info)?.[1] ?? 0);
  const answersBytes = Math.round(answers * (await meanAnswerBytes(redis, prefix)));
  const tablesBytes = sumTables(stats);
  const restBytes = usedBytes - answersBytes - marksBytes - tablesBytes;
  return { usedBytes, answers, answersBytes, marksBytes, tablesBytes, restBytes };
}

async function meanAnswerBytes(redis: Redis, prefix: string): Promise<number> {
  let [count, bytes] = [0, 0];
  for await (const names of redis.scanStream({ match: `${prefix}:ans:*`, count: 1000 })) {
    const pipeline = redis.pipeline();
    for (const name of names as string[]) pipeline.memory("USAGE", name);
    for (const [, usage] of (await pipeline.exec()) ?? []) {
      bytes += Number(usage);
      count++;
    }
    if (count >= ANSWERS_WEIGHED) break;
  }
  return count === 0 ? 0 : bytes / count;
}

function sumTables(stats: readonly unknown[]): number {
  const database = stats[stats.indexOf("db.0") + 1] as unknown[];
  return ["main", "expires"].reduce(
    (sum, table) => sum + Number(database[database.indexOf(`overhead.hashtable.${table}`) + 1]),
    0,
  );
}
