import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { BatchCounts, Halt } from "../domain/batch.js";
import { UsageError } from "../domain/errors.js";
import { HEARD_MS } from "./limits.js";

type Operated = Pick<App, "batches" | "images">;

/** Where a batch stands once its halt was changed. */
export interface Halted {
  readonly batch: string;
  readonly before: Halt | null;
  readonly halt: Halt | null;
  readonly counts: BatchCounts;
}

/**
 * Lets nothing new of a batch begin, in all processes: once this returns no further call goes out. Calls under way are
 * finished, what waits loses no attempt.
 * @throws UsageError when there is no such batch, or it is cancelled
 */
export async function pauseBatch(app: Operated, name: string): Promise<Halted> {
  const before = await haltOf(app, name);
  if (before === "cancelled") throw new UsageError(`batch ${name}: it is cancelled, there is nothing to pause`);
  await app.batches.setHalt(name, "paused");
  return { batch: name, before, halt: "paused", counts: await app.batches.counts(name) };
}

/**
 * Lets a paused batch go on. One that is not paused is left as it is.
 * @throws UsageError when there is no such batch, or it is cancelled: its jobs are gone
 */
export async function resumeBatch(app: Operated, name: string, signal?: AbortSignal): Promise<Halted> {
  const before = await haltOf(app, name);
  if (before === "cancelled") {
    throw new UsageError(`batch ${name}: it was cancelled; run or enqueue its sources again to go on`);
  }
  if (before === "paused") {
    await app.batches.setHalt(name, null);
    await wakeTwice(app, name, signal);
  }
  return { batch: name, before, halt: null, counts: await app.batches.counts(name) };
}

/**
 * Ends a batch early, in all processes: once this returns no further call goes out. Calls under way come to their outcomes.
 * What waits is taken off the queue by the workers that come to it, without an outcome: it stays pending, and goes on when the
 * sources are run or enqueued again.
 * @throws UsageError when there is no such batch
 */
export async function cancelBatch(app: Operated, name: string, signal?: AbortSignal): Promise<Halted> {
  const before = await haltOf(app, name);
  await app.batches.setHalt(name, "cancelled");
  if (before !== "cancelled") await wakeTwice(app, name, signal);
  return { batch: name, before, halt: "cancelled", counts: await app.batches.counts(name) };
}

async function haltOf({ batches }: Operated, name: string): Promise<Halt | null> {
  const batch = await batches.get(name);
  if (batch === null) throw new UsageError(`batch ${name}: there is no such batch`);
  return batch.halt;
}

/** Until every worker has heard of the change, some put their jobs to sleep by the old state. */
async function wakeTwice({ images }: Operated, name: string, signal?: AbortSignal): Promise<void> {
  await images.wake(name);
  await sleep(HEARD_MS, undefined, signal === undefined ? {} : { signal });
  await images.wake(name);
}
