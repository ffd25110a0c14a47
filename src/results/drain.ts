import { toCardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { OutcomeLog, SinkPosition } from "../domain/sink.js";

const RETRY_MS = 1000;

export interface DrainedOutcome {
  readonly record: OutcomeRecord;
}

export interface DrainDeps<T extends DrainedOutcome> {
  readonly log: OutcomeLog;
  /** Records outcomes as written, all or none; the same position a second time changes nothing. */
  readonly commit: (position: SinkPosition, outcomes: readonly T[]) => Promise<void>;
  readonly emit: EventSink;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Drain<T extends DrainedOutcome> {
  /** Resolves when all of them are written and recorded; rejects when the drain is closed before that. */
  record(outcomes: readonly T[]): Promise<void>;
  /** Outcomes recorded by this drain. */
  recorded(): number;
  /** Waits for what was given to it, but no longer for a sink that fails. */
  close(): Promise<void>;
}

/**
 * Writes outcomes, a group after the other: a sync to disk is shared by a group. A sink that fails is tried again until it
 * works; nothing is dropped meanwhile.
 */
export function createDrain<T extends DrainedOutcome>(deps: DrainDeps<T>): Drain<T> {
  const stop = new AbortController();
  let writing: Promise<unknown> = Promise.resolve();
  let recorded = 0;
  /** Once a group was given up, nothing more is written: the sink may hold lines that were never committed. */
  let givenUp: { readonly because: unknown } | null = null;

  const write = async (outcomes: readonly T[]) => {
    if (givenUp !== null) throw givenUp.because;
    try {
      await writeGroup(deps, outcomes, stop.signal);
      recorded += outcomes.length;
    } catch (error) {
      givenUp = { because: error };
      throw error;
    }
  };

  return {
    record: (outcomes) => {
      const written = writing.then(() => write(outcomes));
      writing = written.catch(() => {});
      return written;
    },
    recorded: () => recorded,
    close: async () => {
      stop.abort();
      await writing;
    },
  };
}

/** Each step is tried until it works, and none that worked is done again: lines written twice would stand there twice. */
async function writeGroup<T extends DrainedOutcome>(
  deps: DrainDeps<T>,
  outcomes: readonly T[],
  stop: AbortSignal,
): Promise<void> {
  const position = await untilItWorks(deps, stop, () => deps.log.write(outcomes.map(({ record }) => record)));
  await untilItWorks(deps, stop, () => deps.commit(position, outcomes));
  deps.emit({ type: "recorded", sink: deps.log.name, count: outcomes.length });
}

/** @throws what the last try threw, once `stop` is aborted */
async function untilItWorks<R>(
  deps: Pick<DrainDeps<DrainedOutcome>, "log" | "emit" | "sleep">,
  stop: AbortSignal,
  act: () => Promise<R>,
): Promise<R> {
  for (;;) {
    try {
      return await act();
    } catch (thrown) {
      const error = toCardbatchError(thrown);
      deps.emit({ type: "sink-failed", sink: deps.log.name, error });
      if (stop.aborted) throw error;
      await deps.sleep(RETRY_MS, stop).catch(() => {});
    }
  }
}
