import { type Going, keepGoing } from "./going.js";
import type { ServingParts } from "./parts.js";
import { accept } from "./receive.js";

const LOOK_MS = 10_000;
/** What was received so long ago and is not on the queue was left there by a process that died. @unit milliseconds */
const LEFT_MS = 10_000;
const AT_A_TIME = 100;
const SWEEP_MS = 3_600_000;
/** Nobody writes to a staged file any more, and nobody is about to say what it is for. @unit milliseconds */
const ORPHAN_MS = 600_000;
const DAY_MS = 24 * 3_600_000;

/** Finishes what dead processes have left half done, and takes away what nobody needs: at the start, and again and again. */
export function keepUp(parts: ServingParts): Going {
  const { app, received } = parts;
  let sweptAtMs = Number.NEGATIVE_INFINITY;
  const look = async () => {
    await accept(parts, await received.unaccepted(Date.now() - LEFT_MS, AT_A_TIME));
    if (performance.now() - sweptAtMs < SWEEP_MS) return;
    sweptAtMs = performance.now();
    await sweepStaging(parts, ORPHAN_MS);
    await app.batches.sweep(app.config.batchRetentionDays * DAY_MS);
  };
  const onFault = (error: unknown) => app.emit({ type: "fault", where: "upkeep", error });
  return keepGoing(LOOK_MS, look, onFault);
}

/** Removes staged files that no request needs. */
async function sweepStaging({ app, staging }: ServingParts, olderThanMs: number): Promise<void> {
  for await (const name of staging.olderThan(olderThanMs)) {
    const isNeeded = (await app.redis.exists(app.keys.apiUpload(name))) === 1;
    if (!isNeeded) await staging.remove(name);
  }
}
