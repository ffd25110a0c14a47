import { type CardbatchError, toCardbatchError } from "../domain/errors.js";
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
  /** Waits for what was given to it; then writes nothing more. */
  close(): Promise<void>;
}

interface Waiting {
  readonly outcome: DrainedOutcome;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
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

  const writeAll = async () => {
    while (gathering.length > 0) {
      const group = gathering;
      gathering = [];
      await writeGroup(deps, group, stop.signal);
      recorded += group.length;
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

async function writeGroup(deps: DrainDeps, group: readonly Waiting[], stop: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const fresh = await withoutRecorded(
        deps,
        group.map(({ outcome }) => outcome),
      );
      const position = await deps.sink.write(fresh.map(({ record }) => record));
      if (fresh.length > 0) await deps.commit(position, fresh);
      deps.emit({ type: "recorded", sink: deps.sink.name, count: fresh.length });
      for (const { resolve } of group) resolve();
      return;
    } catch (thrown) {
      const error: CardbatchError = toCardbatchError(thrown);
      deps.emit({ type: "sink-failed", sink: deps.sink.name, error });
      if (stop.aborted) {
        for (const { reject } of group) reject(error);
        return;
      }
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
