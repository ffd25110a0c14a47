import type { ApiKey } from "../../domain/api-key.js";
import type { Priority } from "../../domain/payload.js";
import { Problem } from "../../domain/problem.js";
import { remembered } from "../../domain/remembered.js";
import type { ServingParts } from "./parts.js";

/** How stale the count of waiting images may be. @unit milliseconds */
const COUNT_KEPT_MS = 200;
const RETRY_AFTER_S = 5;

/** Says whether one more image is taken: neither the queue nor the outcomes nobody reads grow without bound. */
export interface Admission {
  /** @throws Problem `unavailable`, `shutting-down` */
  assertOpen(): void;
  /** @throws Problem `backlog-full` */
  assertRoom(key: ApiKey, priority: Priority): Promise<void>;
}

export function createAdmission({ app, options }: ServingParts, stopping: AbortSignal): Admission {
  const counts = {
    interactive: remembered(() => app.images.urgent(), COUNT_KEPT_MS),
    batch: remembered(async () => (await app.images.backlog()) - (await app.images.asleep()), COUNT_KEPT_MS),
  };
  return {
    assertOpen: () => {
      if (stopping.aborted) throw new Problem("shutting-down", "ask another server", { retryAfterS: RETRY_AFTER_S });
      if (app.redisHealth.isAway()) {
        throw new Problem("unavailable", "Redis is not usable; come again", { retryAfterS: RETRY_AFTER_S });
      }
    },
    assertRoom: async ({ destination }, priority) => {
      const full = (what: string) => new Problem("backlog-full", what, { retryAfterS: RETRY_AFTER_S });
      if ((await counts[priority]()) >= options.backlog) throw full(`${options.backlog} images wait already`);
      if (await app.outcomes.isFull(destination)) throw full("the outcomes of earlier requests are not read");
    },
  };
}
