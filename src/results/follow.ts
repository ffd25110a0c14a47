import { join } from "node:path";
import { toCardbatchError } from "../domain/errors.js";
import type { EventSink } from "../domain/events.js";
import { OUTCOME_STREAMS, type OutcomeRecord } from "../domain/record.js";
import type { ResultSink, SinkPosition } from "../domain/sink.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { parseRecord, readLines } from "./read-lines.js";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

/** Its own place in the files: `results` and `failures` in bytes, and `part`, which counts its writes from 1. */
export type Cursor = SinkPosition;
export const START: Cursor = { results: 0, failures: 0, part: 1 };

export interface FollowOptions {
  readonly folder: string;
  readonly sink: ResultSink;
  readonly cursor: Cursor;
  /** How much of the files is committed already. */
  readonly committed: SinkPosition;
}

export interface FollowDeps {
  readonly saveCursor: (cursor: Cursor) => Promise<void>;
  readonly emit: EventSink;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A sink on its way through the files of `--out`: behind them as far as need be, and in nobody's way. */
export interface Follower {
  readonly sink: ResultSink;
  /** So much of the files is committed by now. */
  advance(committed: SinkPosition): void;
  /** Whether the sink lacks outcomes that are committed. */
  isBehind(): boolean;
  /** Writes what is committed and lets go of the sink; what it fails to write now is left to the next time. */
  close(): Promise<void>;
}

/**
 * Follows the files with a sink, from its cursor. A sink that fails is tried again until it works; nothing is passed over,
 * and nothing but this sink waits. Its cursor is saved after each write: who dies in between writes the same part once more.
 */
export function followFiles(options: FollowOptions, deps: FollowDeps): Follower {
  const { sink } = options;
  const closing = new AbortController();
  let cursor = options.cursor;
  let { committed } = options;
  let wake = () => {};
  const isBehind = () => OUTCOME_STREAMS.some((stream) => (cursor[stream] ?? 0) < (committed[stream] ?? 0));
  const pause = (ms: number) => deps.sleep(ms, closing.signal).catch(() => {});

  const writePart = async () => {
    const { records, end } = await readPart(options.folder, cursor, committed, sink.taste.most);
    const part = cursor.part ?? 1;
    if (records.length > 0) {
      await sink.write(lastOfEach(records), part);
      deps.emit({ type: "followed", sink: sink.name, count: records.length });
    }
    const next = { ...end, part: records.length > 0 ? part + 1 : part };
    await deps.saveCursor(next);
    cursor = next;
  };

  const follow = async () => {
    let failures = 0;
    for (;;) {
      if (!isBehind()) {
        if (closing.signal.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (closing.signal.aborted) resolve();
        });
        if (!closing.signal.aborted) await pause(sink.taste.lingerMs);
        continue;
      }
      try {
        await writePart();
        failures = 0;
      } catch (thrown) {
        deps.emit({ type: "sink-failed", sink: sink.name, error: toCardbatchError(thrown) });
        if (closing.signal.aborted) return;
        await pause(Math.min(FIRST_RETRY_MS * 2 ** failures++, LONGEST_RETRY_MS));
      }
    }
  };
  const following = follow();

  return {
    sink,
    advance: (to) => {
      committed = to;
      wake();
    },
    isBehind,
    close: async () => {
      closing.abort();
      wake();
      await following;
      await sink.close();
    },
  };
}

/** The next outcomes of both files, up to `most` of each, and where the cursor stands behind them. */
async function readPart(folder: string, cursor: Cursor, committed: SinkPosition, most: number) {
  const records: OutcomeRecord[] = [];
  const end: Record<string, number> = {};
  for (const stream of OUTCOME_STREAMS) {
    let lines = 0;
    end[stream] = cursor[stream] ?? 0;
    for await (const line of readLines(join(folder, STREAM_FILES[stream]), committed[stream] ?? 0, end[stream])) {
      const record = parseRecord(line.text);
      if (record !== null) records.push(record);
      end[stream] = line.end;
      if (++lines >= most) break;
    }
  }
  return { records, end };
}

/** Of several outcomes of a request the one that was finished last. */
function lastOfEach(records: readonly OutcomeRecord[]): readonly OutcomeRecord[] {
  const last = new Map<string, OutcomeRecord>();
  for (const record of records) {
    const before = last.get(record.request);
    if (before === undefined || before.finishedAt <= record.finishedAt) last.set(record.request, record);
  }
  return [...last.values()];
}
