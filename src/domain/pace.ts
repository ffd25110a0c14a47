/** A fleet-wide limit on the calls to one vendor account. */
export interface Pace {
  /** Names the account's limit in Redis. */
  readonly key: string;
  /**
   * Waits for this call's turn.
   * @throws CancelledError when `signal` aborts first; the turn is then somebody else's
   */
  take(signal: AbortSignal): Promise<void>;
  /** Nobody calls before `ms` from now: the vendor asked for it. */
  hold(ms: number): Promise<void>;
  /** The calls a second that the fleet shares at present; null: unlimited. */
  allowedRate(): number | null;
  close(): Promise<void>;
}
