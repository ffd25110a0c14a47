import type { OutcomeRecord } from "./record.js";

/** How far something has got in the files of `--out`, in bytes of each; of a sink also which part it writes next. */
export type SinkPosition = Readonly<Record<string, number>>;

/**
 * The files of `--out`: every outcome is drained into them, and every sink follows them. The last line of a request counts.
 */
export interface OutcomeLog {
  readonly name: string;
  /**
   * Writes durably; when it resolves, the outcomes survive a power cut. They count once the position is committed, and are
   * written again should the process die in between: on `open` the log goes back to the committed position.
   * @throws SinkError `sink-unavailable`; nothing of this write counts then
   */
  write(records: readonly OutcomeRecord[]): Promise<SinkPosition>;
  close(): Promise<void>;
}

export const SINK_NAMES = ["postgres", "s3"] as const;
export type SinkName = (typeof SINK_NAMES)[number];

/** Where outcomes are written besides: a database, a bucket. Of one request the outcome that was finished last stands. */
export interface ResultSink {
  readonly name: SinkName;
  /** The same for the same place, wherever it is named from; without credentials. Its cursor is kept under it. */
  readonly place: string;
  /** How many outcomes it likes to be given at a time, and how long it waits for so many. */
  readonly taste: { readonly most: number; readonly lingerMs: number };
  /**
   * Writes durably. Should the process die before that is known, the same outcomes come again as the same part, maybe with
   * more behind them: they must not be there twice then.
   * @param part counts the writes to this place, from 1
   * @throws SinkError `sink-unavailable`; it is tried again then
   */
  write(records: readonly OutcomeRecord[], part: number): Promise<void>;
  close(): Promise<void>;
}
