import type { Answer } from "../domain/answer.js";
import type { StopSignals } from "../domain/dispatcher.js";
import type { EventSink } from "../domain/events.js";
import type { PreparedImage } from "../domain/image.js";
import { accountOf, calledEvent, endOf } from "./call-account.js";
import type { ProviderLane } from "./lane.js";
import type { Places } from "./places.js";
import { type ReportCall, reportOf } from "./report-call.js";
import type { Stops } from "./stops.js";

export interface GoldenCallDeps {
  readonly places: Places;
  readonly stops: Stops;
  readonly report: ReportCall;
  readonly emit: EventSink;
}

/** @throws whatever keeps the call from being made, or from being answered */
export type CallGolden = (prepare: () => Promise<PreparedImage>, stop: StopSignals) => Promise<Answer>;

/**
 * A call that is no request's: nothing of it is in the ledger or in any batch's accounts, so it is always made. It takes its turn
 * behind all others, and the pace learns from it.
 */
export function createGoldenCall(
  { provider, pace }: Pick<ProviderLane, "provider" | "pace">,
  { places, stops, report, emit }: GoldenCallDeps,
): CallGolden {
  return async (prepare, stop) => {
    stops.refuse(stop.soft);
    stops.refuseWhenHeld();
    await provider.authorize(stop.soft);
    const encoded = provider.encode(await prepare());
    return places.run(false, async () => {
      const slot = (await pace?.take(stop.soft, false)) ?? null;
      const startedAt = performance.now();
      const end = await endOf(provider.call(encoded, stop.hard));
      const account = accountOf("", provider, end);
      if (!account.notSent) emit({ ...calledEvent(account, performance.now() - startedAt, end), isGolden: true });
      await report(slot, "error" in end ? reportOf(end.error) : { kind: "ok" });
      if ("error" in end) throw end.error;
      return end.answer;
    });
  };
}
