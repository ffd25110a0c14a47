import type { OutcomeRecord } from "./record.js";

/** What a sink has written so far, in its own terms (file lengths, a cursor); committed together with the marks. */
export type SinkPosition = Readonly<Record<string, number>>;

/** Where outcomes are written. The last one of a request counts. */
export interface ResultSink {
  readonly name: string;
  /**
   * Writes durably; when it resolves, the outcomes survive a power cut. They count once the position is committed, and are
   * written again should the process die in between: on `open` the sink goes back to the committed position.
   * @throws SinkError `sink-unavailable`; nothing of this write counts then
   */
  write(records: readonly OutcomeRecord[]): Promise<SinkPosition>;
  close(): Promise<void>;
}
