import type { Pace } from "../domain/pace.js";
import type { OcrProvider } from "../domain/provider.js";

/** A provider with what it shares with the rest of the fleet. */
export interface ProviderLane {
  readonly provider: OcrProvider;
  /** Null: nothing but its own speed limits this provider. */
  readonly pace: Pace | null;
  readonly timeoutMs: number;
  /** Calls that this process has under way at a time; a page that is being prepared, or whose answer is stored, is none. */
  readonly concurrency: number;
}
