import { DelayedError, type Job, Worker } from "bullmq";
import type { EventSink } from "../domain/events.js";
import { type OutcomeRecord, type OutcomeStream, recordSchema } from "../domain/record.js";
import type { Keys } from "./keys.js";
import { generationOf, outcomeQueueName } from "./outcomes.js";
import type { Redis } from "./redis.js";
import { reportErrors } from "./report-errors.js";

/** Outcomes that wait together for one write; more in a write, fewer syncs. */
const OUTCOMES_AT_A_TIME = 256;
const LOCK_MS = 6000;
const STALLED_CHECK_MS = 2000;
const NEVER_BY_STALLS = 1_000_000;
/** An outcome of a version that is not known here waits for somebody who knows it. */
const UNKNOWN_VERSION_MS = 10 * 60_000;
const NOT_RECORDED_MS = 1000;

/** An outcome as it came off its queue. */
export interface ReceivedOutcome {
  readonly record: OutcomeRecord;
  readonly generation: string;
  /** It was given out before: it may have been recorded without our being told. */
  readonly isAgain: boolean;
}

export interface OutcomeReader {
  /** Takes no more, lets those taken be recorded, and closes. */
  close(): Promise<void>;
}

/**
 * Takes the outcomes of one destination off both its queues. An outcome is gone from its queue only after `record` has
 * resolved; should it reject, or the process die, the outcome comes again.
 */
export function createOutcomeReader(
  redis: Redis,
  keys: Keys,
  destination: string | null,
  record: (outcome: ReceivedOutcome) => Promise<void>,
  emit: EventSink,
): OutcomeReader {
  const workers = (["results", "failures"] as const).map((stream) =>
    openStream(redis, keys, stream, destination, record, emit),
  );
  return { close: async () => void (await Promise.all(workers.map((worker) => worker.close()))) };
}

function openStream(
  redis: Redis,
  keys: Keys,
  stream: OutcomeStream,
  destination: string | null,
  record: (outcome: ReceivedOutcome) => Promise<void>,
  emit: EventSink,
): Worker {
  const take = async (job: Job, token?: string): Promise<void> => {
    const parsed = recordSchema.safeParse(job.data);
    if (!parsed.success) {
      emit({ type: "fault", where: `an outcome on card-${stream} of an unknown version`, error: null });
      return putBack(job, token, UNKNOWN_VERSION_MS);
    }
    const isAgain = job.attemptsStarted > 1;
    try {
      await record({ record: parsed.data, generation: generationOf(job.id ?? ""), isAgain });
    } catch {
      // The recorder has told what is wrong; here the outcome only must not be lost.
      await putBack(job, token, NOT_RECORDED_MS);
    }
  };
  const worker = new Worker(outcomeQueueName(stream, destination), take, {
    connection: redis,
    prefix: keys.prefix,
    concurrency: OUTCOMES_AT_A_TIME,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: NEVER_BY_STALLS,
    runRetryDelay: 500,
    removeOnComplete: { count: 0 },
  });
  reportErrors(worker, emit);
  return worker;
}

async function putBack(job: Job, token: string | undefined, delayMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + delayMs, token);
  throw new DelayedError();
}
