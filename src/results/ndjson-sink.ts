import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { SinkError } from "../domain/errors.js";
import { OUTCOME_STREAMS, type OutcomeRecord, type OutcomeStream, streamOf } from "../domain/record.js";
import type { OutcomeLog, SinkPosition } from "../domain/sink.js";
import { syncFolder } from "./write-whole.js";

export const STREAM_FILES = { results: "results.ndjson", failures: "failures.ndjson" } as const satisfies Record<
  OutcomeStream,
  string
>;

interface OpenFile {
  readonly handle: FileHandle;
  /** What counts. @unit bytes */
  length: number;
}

/**
 * Two append-only files of one JSON line an outcome. On open each is cut to what was committed: a line that was being
 * written when the process died is not there any more.
 * @param committed the committed lengths in bytes, no longer than the files are; null starts both from nothing
 */
export async function openNdjsonSink(folder: string, committed: SinkPosition | null): Promise<OutcomeLog> {
  const results = await openAt(join(folder, STREAM_FILES.results), committed?.results ?? 0);
  const failures = await openAt(join(folder, STREAM_FILES.failures), committed?.failures ?? 0).catch(async (error) => {
    await results.handle.close();
    throw error;
  });
  const files: Record<OutcomeStream, OpenFile> = { results, failures };
  await syncFolder(folder);
  return {
    name: "ndjson",
    write: async (records) => {
      await writeBoth(folder, files, records);
      return { results: results.length, failures: failures.length };
    },
    close: async () => void (await Promise.all(OUTCOME_STREAMS.map((stream) => files[stream].handle.close()))),
  };
}

async function openAt(path: string, length: number): Promise<OpenFile> {
  try {
    // Made if it is not there; opened anew because an appending handle writes nowhere but at the end.
    await (await open(path, "a")).close();
    const handle = await open(path, "r+");
    await handle.truncate(length);
    return { handle, length };
  } catch (error) {
    throw new SinkError("sink-unavailable", `${path} cannot be opened (${codeOf(error)})`);
  }
}

/** Both files or neither: what a failed write has left behind is taken away. */
async function writeBoth(
  folder: string,
  files: Record<OutcomeStream, OpenFile>,
  records: readonly OutcomeRecord[],
): Promise<void> {
  const parts = OUTCOME_STREAMS.map((stream) => ({ file: files[stream], lines: toLines(records, stream) }));
  const written = await Promise.allSettled(parts.map(({ file, lines }) => append(file, lines)));
  const failure = written.find((result) => result.status === "rejected");
  if (failure === undefined) {
    for (const { file, lines } of parts) file.length += lines.length;
    return;
  }
  for (const { file } of parts) await file.handle.truncate(file.length).catch(() => {});
  throw new SinkError("sink-unavailable", `${folder} cannot be written (${codeOf(failure.reason)})`);
}

function toLines(records: readonly OutcomeRecord[], stream: OutcomeStream): Buffer {
  const its = records.filter(({ outcome }) => streamOf(outcome) === stream);
  return Buffer.from(its.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** A write may take less than it is given, as on a disk that fills up; only the next one then says why. */
async function append({ handle, length }: OpenFile, lines: Buffer): Promise<void> {
  if (lines.length === 0) return;
  for (let written = 0; written < lines.length; ) {
    const { bytesWritten } = await handle.write(lines, written, lines.length - written, length + written);
    written += bytesWritten;
  }
  await handle.datasync();
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}
