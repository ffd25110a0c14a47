import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { OutcomeRecord } from "../domain/record.js";
import type { ResultSink, SinkPosition } from "../domain/sink.js";
import { finishCompaction } from "./compact.js";
import { openNdjsonSink, STREAM_FILES } from "./ndjson-sink.js";
import { readLines } from "./read-lines.js";
import { restoreFromFiles } from "./restore.js";

/** Every file that a run writes into its `--out`. */
const OUT_FILES = [STREAM_FILES.results, STREAM_FILES.failures, "summary.json", "results.csv"];

export interface OpenOutDeps {
  /** Takes the folder for this process alone; throws when another writes it. */
  readonly lock: (folder: string) => Promise<() => void>;
  readonly position: () => Promise<SinkPosition | null>;
  readonly unfinishedCompaction: () => Promise<SinkPosition | null>;
  readonly compacted: (position: SinkPosition) => Promise<void>;
  /** Whether what Redis knows as recorded was recorded for this folder. */
  readonly isOurs: () => Promise<boolean>;
  /** Forgets what was recorded and published, answers excepted; what `restore` then finds in the files is known again. */
  readonly forget: () => Promise<void>;
  readonly restore: (records: readonly OutcomeRecord[]) => Promise<void>;
  readonly restored: (position: SinkPosition) => Promise<void>;
  readonly onNote: (message: string) => void;
}

export interface OpenOut {
  readonly sink: ResultSink;
  readonly release: () => void;
}

/**
 * Opens an `--out` folder for one batch. What Redis knows and what the files hold are brought together first: a folder
 * that Redis knows is cut to what was committed; one that it does not know, because it was emptied, is read back; a new or
 * missing one starts from nothing, and the ledger fills it without calls. Another batch's files are moved aside.
 * @param folder exists
 * @param batch the one batch that is written here; null: whatever comes
 */
export async function openOut(folder: string, batch: string | null, deps: OpenOutDeps): Promise<OpenOut> {
  const release = await deps.lock(folder);
  try {
    await moveAsideOthers(folder, batch, deps.onNote);
    const unfinished = await deps.unfinishedCompaction();
    if (unfinished !== null) await finishCompaction(folder, unfinished, deps);
    const position = await deps.position();
    if (position !== null && (await deps.isOurs()) && (await holds(folder, position))) {
      return { sink: await openNdjsonSink(folder, position), release };
    }
    return { sink: await openNdjsonSink(folder, await readBack(folder, deps)), release };
  } catch (error) {
    release();
    throw error;
  }
}

async function readBack(folder: string, deps: OpenOutDeps): Promise<SinkPosition> {
  await deps.forget();
  const { position, taken } = await restoreFromFiles(folder, deps.restore);
  await deps.restored(position);
  if (taken > 0) deps.onNote(`${taken} outcomes found in ${folder} are taken over`);
  return position;
}

/** Whether both files are at least as long as was committed. */
async function holds(folder: string, position: SinkPosition): Promise<boolean> {
  for (const stream of ["results", "failures"] as const) {
    const length = await stat(join(folder, STREAM_FILES[stream])).then(
      ({ size }) => size,
      () => -1,
    );
    if (length < (position[stream] ?? 0)) return false;
  }
  return true;
}

async function moveAsideOthers(folder: string, batch: string | null, onNote: (message: string) => void): Promise<void> {
  const other = await batchOf(folder);
  if (other === null || batch === null || other === batch) return;
  const aside = join(folder, other);
  await mkdir(aside, { recursive: true });
  for (const name of await readdir(folder)) {
    if (OUT_FILES.includes(name)) await rename(join(folder, name), join(aside, name));
  }
  onNote(`${folder} held the results of batch ${other}; they are in ${aside} now`);
}

/** The batch of the first line that the folder holds. */
async function batchOf(folder: string): Promise<string | null> {
  for (const name of Object.values(STREAM_FILES)) {
    for await (const { text } of readLines(join(folder, name))) {
      try {
        const { batch } = JSON.parse(text) as { batch?: unknown };
        return typeof batch === "string" && /^[\p{L}\p{N}._-]+$/u.test(batch) && !/^\.+$/.test(batch) ? batch : null;
      } catch {
        return null;
      }
    }
  }
  return null;
}
