import { OUTAGE_CODES, ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { CallReport, Slot } from "../domain/pace.js";
import type { ProviderLane } from "./lane.js";

/**
 * Says to the pace what became of a slot. What cannot be said is left to the next report.
 * @param slot null: nothing limits the pace
 * @returns the run of failures that this one belongs to; null: it was none
 */
export type ReportCall = (slot: Slot | null, said: CallReport) => Promise<string | null>;

export function createReport({ provider, pace }: Pick<ProviderLane, "provider" | "pace">, emit: EventSink): ReportCall {
  return async (slot, said) => {
    if (pace === null || slot === null) return null;
    const { change, streak } = await pace.report(slot, said).catch(() => ({ change: null, streak: null }));
    if (change !== null) emit({ type: "pace-changed", provider: provider.name, change });
    return streak;
  };
}

/** What an error says of the provider as such. */
export function reportOf(error: unknown): CallReport {
  if (!(error instanceof ProviderError)) return { kind: "void" };
  const { code, disposition, retryAfterMs } = error;
  if (code === "provider-throttled") return { kind: "throttled", retryAfterMs };
  if (OUTAGE_CODES.has(code)) return { kind: "failed", code, retryAfterMs };
  // Credentials are this process's own; what is wrong with the account is wrong for everybody.
  if (code === "provider-credentials" || disposition === "refresh") return { kind: "void" };
  return disposition === "stop-provider" ? { kind: "stopped", code } : { kind: "ok" };
}
