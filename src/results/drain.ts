import { toCardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { ResultSink, SinkPosition } from "../domain/sink.js";

const RETRY_MS = 1000;

export interface DrainedOutcome {
  readonly record: OutcomeRecord;
  readonly generation: string;
  /** It was given out before: it may be recorded already. */
  readonly isAgain: boolean;
}

export interface DrainDeps {
  readonly sink: ResultSink;
  /** Records outcomes as written, all or none; the same position a second time changes nothing. */
  readonly commit: (position: SinkPosition, outcomes: readonly DrainedOutcome[]) => Promise<void>;
  readonly isRecorded: (outcome: DrainedOutcome) => Promise<boolean>;
  readonly emit: EventSink;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Drain {
  /** Resolves when the outcome is written and recorded; rejects when the drain is closed before that. */
  record(outcome: DrainedOutcome): Promise<void>;
  /** Outcomes recorded by this drain. */
  recorded(): number;
  /** Waits for what was given to it, but no longer for a sink that fails. */
  close(): Promise<void>;
}

interface Waiting {
  readonly outcome: DrainedOutcome;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes outcomes in groups: while one write is under way the next group gathers, so that a sync to disk is shared by as
 * many as there are. A sink that fails is tried again until it works; nothing is dropped meanwhile.
 */
export function createDrain(deps: DrainDeps): Drain {
  const stop = new AbortController();
  let gathering: Waiting[] = [];
  let writing: Promise<void> | null = null;
  let recorded = 0;
  /** Once a group was given up, nothing more is written: the sink may hold lines that were never committed. */
  let givenUp: { readonly because: unknown } | null = null;

  const writeAll = async () => {
    while (gathering.length > 0) {
      const group = gathering;
      gathering = [];
      try {
        if (givenUp !== null) throw givenUp.because;
        recorded += await writeGroup(
          deps,
          group.map(({ outcome }) => outcome),
          stop.signal,
        );
        for (const { resolve } of group) resolve();
      } catch (error) {
        givenUp ??= { because: error };
        for (const { reject } of group) reject(error);
      }
    }
    writing = null;
  };

  return {
    record: (outcome) =>
      new Promise((resolve, reject) => {
        gathering.push({ outcome, resolve, reject });
        // In the next turn, so that what arrives in this one is in the group.
        writing ??= new Promise<void>((next) => setImmediate(next)).then(writeAll);
      }),
    recorded: () => recorded,
    close: async () => {
      stop.abort();
      await writing;
    },
  };
}

/**
 * Each step is tried until it works, and none that worked is done again: lines written twice would stand there twice.
 * @returns how many were recorded; the rest were before
 */
async function writeGroup(deps: DrainDeps, group: readonly DrainedOutcome[], stop: AbortSignal): Promise<number> {
  const fresh = await untilItWorks(deps, stop, () => withoutRecorded(deps, group));
  if (fresh.length === 0) return 0;
  const position = await untilItWorks(deps, stop, () => deps.sink.write(fresh.map(({ record }) => record)));
  await untilItWorks(deps, stop, () => deps.commit(position, fresh));
  deps.emit({ type: "recorded", sink: deps.sink.name, count: fresh.length });
  return fresh.length;
}

/** @throws what the last try threw, once `stop` is aborted */
async function untilItWorks<T>(deps: DrainDeps, stop: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (thrown) {
      const error = toCardbatchError(thrown);
      deps.emit({ type: "sink-failed", sink: deps.sink.name, error });
      if (stop.aborted) throw error;
      await deps.sleep(RETRY_MS, stop).catch(() => {});
    }
  }
}

async function withoutRecorded(deps: DrainDeps, outcomes: readonly DrainedOutcome[]): Promise<DrainedOutcome[]> {
  const fresh: DrainedOutcome[] = [];
  for (const outcome of outcomes) {
    if (!(outcome.isAgain && (await deps.isRecorded(outcome)))) fresh.push(outcome);
  }
  return fresh;
}
