import { Queue } from "bullmq";
import type { EventSink } from "../domain/events.js";
import { EVENT_STREAM } from "../domain/queue-names.js";
import { beat } from "./beat.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";
import { createWatchedWorker } from "./watched-worker.js";

const TICK_QUEUE = "card-schedules";
const TICK = "tick";
/** How late a due run may begin. @unit milliseconds */
const TICK_MS = 5000;
/** BullMQ plans the next tick when the last one is taken; one that got lost is planned anew by whoever notices first. */
const LOST_MS = 60_000;

export interface TickDeps {
  /** Called every few seconds in one of all the processes. */
  readonly onTick: () => Promise<void>;
  /** Whether there is anything to tick for. */
  readonly isWanted: () => Promise<boolean>;
  /** When a tick last came, anywhere. @unit Unix time in ms */
  readonly seenMs: () => Promise<number>;
  readonly setSeen: (nowMs: number) => Promise<void>;
  readonly now: () => number;
  readonly emit: EventSink;
}

export interface Ticks {
  close(): Promise<void>;
}

/** Has ticks planned that nobody has planned yet; for whoever makes the first schedule. */
export async function planTicks(redis: Redis, keys: Keys): Promise<void> {
  const queue = openQueue(redis, keys);
  await plan(queue);
  await queue.close();
}

/** Has BullMQ's scheduler tick as long as it is wanted, each tick in one of all the processes that call this. */
export async function startTicks(redis: Redis, keys: Keys, deps: TickDeps): Promise<Ticks> {
  const queue = openQueue(redis, keys);
  const planLost = async () => {
    if (deps.now() - (await deps.seenMs()) >= LOST_MS && (await deps.isWanted())) await plan(queue);
  };
  const onFault = (error: unknown) => deps.emit({ type: "fault", where: "schedules", error });
  const work = async () => {
    await deps.setSeen(deps.now());
    // A tick that fails is followed by another one.
    await deps.onTick().catch(onFault);
    if (!(await deps.isWanted())) await queue.removeJobScheduler(TICK);
  };
  await planLost();
  const worker = createWatchedWorker(redis, keys, { queue: TICK_QUEUE, concurrency: 1 }, { work, emit: deps.emit });
  const stopLooking = beat(LOST_MS / 2, planLost, onFault);
  return {
    close: async () => {
      stopLooking();
      await worker.close();
      await queue.close();
    },
  };
}

function openQueue(redis: Redis, keys: Keys): Queue {
  const queue = new Queue(TICK_QUEUE, { connection: redis, prefix: keys.prefix, streams: EVENT_STREAM });
  queue.on("error", () => {});
  return queue;
}

async function plan(queue: Queue): Promise<void> {
  await queue.upsertJobScheduler(TICK, { every: TICK_MS }, { name: TICK });
}
