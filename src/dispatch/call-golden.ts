import type { Answer } from "../domain/answer.js";
import type { StopSignals } from "../domain/dispatcher.js";
import type { EventSink } from "../domain/events.js";
import type { PreparedImage } from "../domain/image.js";
import type { CallReport, Pace, Slot } from "../domain/pace.js";
import type { OcrProvider } from "../domain/provider.js";
import { accountOf, type CallEnd, calledEvent } from "./call-account.js";
import type { Places } from "./places.js";

export interface GoldenCallDeps {
  readonly provider: OcrProvider;
  readonly pace: Pace | null;
  readonly places: Places;
  /** Throws while nobody may call. */
  readonly refuse: (signal: AbortSignal) => void;
  readonly report: (slot: Slot | null, said: CallReport) => Promise<unknown>;
  readonly reportOf: (error: unknown) => CallReport;
  readonly emit: EventSink;
}

/** @throws whatever keeps the call from being made, or from being answered */
export type CallGolden = (prepare: () => Promise<PreparedImage>, stop: StopSignals) => Promise<Answer>;

/**
 * A call that is no request's: nothing of it is in the ledger or in any batch's accounts, so it is always made. It takes its turn
 * behind all others, and the pace learns from it.
 */
export function createGoldenCall({ provider, pace, places, emit, ...deps }: GoldenCallDeps): CallGolden {
  return async (prepare, stop) => {
    deps.refuse(stop.soft);
    await provider.authorize(stop.soft);
    const encoded = provider.encode(await prepare());
    return places.run(false, async () => {
      const slot = (await pace?.take(stop.soft, false)) ?? null;
      const startedAt = performance.now();
      const end: CallEnd = await provider.call(encoded, stop.hard).then(
        (answer) => ({ answer }),
        (error: unknown) => ({ error }),
      );
      const account = accountOf("", provider, end);
      if (!account.notSent) emit({ ...calledEvent(account, performance.now() - startedAt, end), isGolden: true });
      await deps.report(slot, "error" in end ? deps.reportOf(end.error) : { kind: "ok" });
      if ("error" in end) throw end.error;
      return end.answer;
    });
  };
}
