import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { nameSchema } from "../domain/payload.js";
import { OUTCOME_STREAMS, type OutcomeRecord } from "../domain/record.js";
import type { OutcomeLog, SinkPosition } from "../domain/sink.js";
import { finishCompaction } from "./compact.js";
import { openNdjsonSink, STREAM_FILES } from "./ndjson-sink.js";
import { readLines, readRecords } from "./read-lines.js";
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
  readonly log: OutcomeLog;
  readonly release: () => void;
}

/**
 * Opens an `--out` folder for one batch. What Redis knows and what the files hold are brought together first: a folder
 * that Redis knows is cut to what was committed; one that it does not know, because it was emptied, is read back; a new or
 * missing one starts from nothing, and the ledger fills it without calls. Another batch's files are moved aside, and come
 * back when it is written again.
 * @param folder exists
 * @param batch the one batch that is written here; null: whatever comes
 */
export async function openOut(folder: string, batch: string | null, deps: OpenOutDeps): Promise<OpenOut> {
  const release = await deps.lock(folder);
  try {
    // Before anything is moved: copies that wait belong to the files that are here now.
    const unfinished = await deps.unfinishedCompaction();
    if (unfinished !== null) await finishCompaction(folder, unfinished, deps);
    const isExchanged = batch !== null && (await changePlaces(folder, batch, deps.onNote));
    const position = await deps.position();
    const isKnown = position !== null && !isExchanged && (await deps.isOurs()) && (await holds(folder, position));
    return { log: await openNdjsonSink(folder, isKnown ? position : await readBack(folder, deps)), release };
  } catch (error) {
    release();
    throw error;
  }
}

async function readBack(folder: string, deps: OpenOutDeps): Promise<SinkPosition> {
  await deps.forget();
  const { position, taken, foreign } = await restoreFromFiles(folder, deps.restore);
  await deps.restored(position);
  if (taken > 0) deps.onNote(`${taken} outcomes found in ${folder} are taken over`);
  if (foreign > 0) deps.onNote(`${folder} holds lines that are no outcomes of this version (${foreign}); they stay`);
  return position;
}

/** Whether both files are there, and at least as long as was committed. */
async function holds(folder: string, position: SinkPosition): Promise<boolean> {
  for (const stream of OUTCOME_STREAMS) {
    const length = await stat(join(folder, STREAM_FILES[stream])).then(
      ({ size }) => size,
      () => -1,
    );
    if (length < (position[stream] ?? 0)) return false;
  }
  return true;
}

/**
 * Moves another batch's files into a folder of its name, and this batch's out of theirs.
 * @returns whether the folder holds other files now
 */
async function changePlaces(folder: string, batch: string, onNote: (message: string) => void): Promise<boolean> {
  const other = await batchOf(folder);
  if (other === batch) return false;
  if (other !== null) {
    const aside = await freeFolder(folder, other);
    await moveFiles(folder, aside);
    onNote(`${folder} held the results of batch ${other}; they are in ${aside} now`);
  }
  const own = join(folder, batch);
  const isBack = (await batchOf(own)) === batch && !(await hasLines(folder));
  if (isBack) await moveFiles(own, folder);
  return other !== null || isBack;
}

/** A folder of this name, or with a number behind it, that holds no results: none are ever overwritten. */
async function freeFolder(folder: string, name: string): Promise<string> {
  let free = join(folder, name);
  for (let n = 2; await hasLines(free); n++) free = join(folder, `${name}-${n}`);
  return free;
}

async function moveFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (OUT_FILES.includes(name)) await rename(join(from, name), join(to, name));
  }
}

/** The batch of the first outcome that a folder holds. */
async function batchOf(folder: string): Promise<string | null> {
  for (const name of Object.values(STREAM_FILES)) {
    for await (const { batch } of readRecords(join(folder, name))) return isFolderName(batch) ? batch : null;
  }
  return null;
}

async function hasLines(folder: string): Promise<boolean> {
  for (const name of Object.values(STREAM_FILES)) {
    for await (const _ of readLines(join(folder, name))) return true;
  }
  return false;
}

/** It was read out of a file, and is about to be a path. */
function isFolderName(batch: string): boolean {
  return nameSchema.safeParse(batch).success && !/^\.+$/.test(batch);
}
