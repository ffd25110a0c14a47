import { CancelledError, ProviderError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import { heldTooLong } from "../domain/pace.js";
import type { ProviderLane } from "./lane.js";

/** A provider that somebody has to do something about is looked at again after this. */
const STOPPED_MS = 3600_000;

/** Why a process calls a provider no more: not before somebody has done something about it, or not for a while. */
export interface Stops {
  /** @throws ProviderError while the provider is stopped, CancelledError once the signal has fired */
  refuse(signal: AbortSignal): void;
  /** @throws ProviderError `provider-held` while nobody may call for longer than is worth waiting */
  refuseWhenHeld(): void;
  /** Remembers an error that stops the provider. @returns the error */
  note(error: unknown): unknown;
  /** Null while calls are made. */
  by(): ProviderError | null;
}

/** @param onOver called when a provider that was stopped is looked at again */
export function createStops(
  { provider: { name }, pace }: Pick<ProviderLane, "provider" | "pace">,
  onOver: () => void,
  emit: EventSink,
): Stops {
  let stopped: { readonly error: ProviderError; readonly untilMs: number } | null = null;
  return {
    refuse: (signal) => {
      if (stopped !== null && Date.now() >= stopped.untilMs) {
        stopped = null;
        onOver();
      }
      if (stopped !== null) throw stopped.error;
      if (signal.aborted) throw new CancelledError();
    },
    refuseWhenHeld: () => {
      const waiting = pace?.state().waiting ?? null;
      const held = heldTooLong(name, (waiting?.untilMs ?? 0) - Date.now());
      if (held !== null) throw held;
    },
    note: (error) => {
      if (error instanceof ProviderError && error.disposition === "stop-provider" && stopped === null) {
        stopped = { error, untilMs: Date.now() + STOPPED_MS };
        emit({ type: "provider-stopped", provider: name, error });
      }
      return error;
    },
    by: () => stopped?.error ?? null,
  };
}
