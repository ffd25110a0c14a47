import { API_DESTINATION } from "../../domain/received.js";
import { createOutcomeReader, type OutcomeReader, type ReceivedOutcome } from "../../queue/outcome-reader.js";
import { createOutcomeStore } from "../../queue/outcome-store.js";
import { type Going, keepGoing } from "./going.js";
import type { ServingParts } from "./parts.js";

const DAY_S = 24 * 3600;
/** How soon another server goes on with what a dead one read, and a new key's destination is read. @unit milliseconds */
const LOOK_MS = 1000;

/**
 * Reads the outcomes of requests over HTTP and stores them for those who asked. Of several servers one reads a destination, and
 * another goes on when it dies.
 */
export function consumeOutcomes(parts: ServingParts): Going {
  const { app, apiKeys, staging, waiters } = parts;
  const store = createOutcomeStore(app.redis, app.keys, Math.ceil(app.config.apiRetentionDays * DAY_S));
  const readers = new Map<string, OutcomeReader>();

  const record = async (outcomes: readonly ReceivedOutcome[]) => {
    const spent = await store.record(outcomes);
    waiters.notify(outcomes.map((outcome) => outcome.record.request));
    app.emit({ type: "recorded", sink: "http", count: outcomes.length });
    // What cannot be removed now is swept later.
    await Promise.all(spent.map((name) => staging.remove(name).catch(() => {})));
  };
  const open = async () => {
    const destinations = new Set([API_DESTINATION, ...(await apiKeys.list()).map(({ destination }) => destination)]);
    for (const destination of destinations) {
      if (readers.has(destination) || !(await app.presence.acquire(`destination:${destination}`))) continue;
      readers.set(destination, createOutcomeReader(app.redis, app.keys, destination, record, app.emit));
    }
  };
  const opening = keepGoing(LOOK_MS, open, (error) => app.emit({ type: "fault", where: "serve", error }));
  return {
    close: async () => {
      await opening.close();
      await Promise.all([...readers.values()].map((reader) => reader.close()));
    },
  };
}
