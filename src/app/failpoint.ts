import { subscribe } from "node:diagnostics_channel";
import type { CardbatchEvent, EventSink } from "../domain/events.js";

/** Where a process can be told to die (`CARDBATCH_KILL_AT`), in the order in which a page comes by. */
export const FAILPOINTS = [
  "taken",
  "decoding",
  "prepared",
  "before-call",
  "call-sent",
  "answered",
  "stored",
  "published",
  "recorded",
  "followed",
  "completed",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

/** Told by the HTTP client when a request has gone out whole. */
const SENT_CHANNEL = "undici:request:bodySent";

/**
 * For tests: kills the process, as `kill -9` does, the moment a page gets there.
 * @param text such as `stored`, `stored:3` for the third time, `decoding@r_…` for one request
 * @param die does not return
 */
export function createFailpoint(text: string, die: () => void = () => process.kill(process.pid, "SIGKILL")): EventSink {
  const [, failpoint, times = "1", request] = /^([a-z-]+)(?::(\d+))?(?:@(\S+))?$/.exec(text) ?? [];
  let left = Number(times);
  const reach = () => {
    left--;
    if (left === 0) die();
  };
  if (failpoint === "call-sent") subscribe(SENT_CHANNEL, reach);
  return (event) => {
    const reached = reachedBy(event);
    if (reached?.failpoint === failpoint && (request === undefined || reached?.request === request)) reach();
  };
}

function reachedBy(event: CardbatchEvent): { failpoint: Failpoint; request: string | null } | null {
  switch (event.type) {
    case "step":
      return { failpoint: event.step, request: event.request };
    case "turn-taken":
      return { failpoint: "before-call", request: null };
    case "called":
      return { failpoint: "answered", request: null };
    case "finished":
      return { failpoint: "published", request: event.record.request };
    case "recorded":
    case "followed":
      return { failpoint: event.type, request: null };
    default:
      return null;
  }
}
