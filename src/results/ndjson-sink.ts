import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { SinkError } from "../domain/errors.js";
import { type OutcomeRecord, type OutcomeStream, streamOf } from "../domain/record.js";
import type { ResultSink, SinkPosition } from "../domain/sink.js";

export const STREAM_FILES = { results: "results.ndjson", failures: "failures.ndjson" } as const satisfies Record<
  OutcomeStream,
  string
>;
const STREAMS = ["results", "failures"] as const;

interface OpenFile {
  readonly handle: FileHandle;
  length: number;
}

/**
 * Two append-only files of one JSON line an outcome. On open each is cut to what was committed: a line that was being
 * written when the process died is not there any more.
 * @param committed the committed lengths in bytes; null starts both files from nothing
 */
export async function openNdjsonSink(folder: string, committed: SinkPosition | null): Promise<ResultSink> {
  const files: Record<OutcomeStream, OpenFile> = {
    results: await openAt(join(folder, STREAM_FILES.results), committed?.results ?? 0),
    failures: await openAt(join(folder, STREAM_FILES.failures), committed?.failures ?? 0),
  };
  return {
    name: "ndjson",
    write: async (records) => {
      try {
        for (const stream of STREAMS)
          await append(
            files[stream],
            records.filter((r) => streamOf(r.outcome) === stream),
          );
      } catch (error) {
        throw new SinkError(
          "sink-unavailable",
          `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`,
        );
      }
      return { results: files.results.length, failures: files.failures.length };
    },
    close: async () => void (await Promise.all(STREAMS.map((stream) => files[stream].handle.close()))),
  };
}

async function openAt(path: string, length: number): Promise<OpenFile> {
  const handle = await open(path, "a+").then(
    async (created) => {
      await created.close();
      return open(path, "r+");
    },
    (error: NodeJS.ErrnoException) => {
      throw new SinkError("sink-unavailable", `${path} cannot be opened (${error.code})`);
    },
  );
  await handle.truncate(length);
  return { handle, length };
}

/** At the committed length, not at the end: what a failed write left behind is overwritten. */
async function append(file: OpenFile, records: readonly OutcomeRecord[]): Promise<void> {
  if (records.length === 0) return;
  const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  await file.handle.writev([lines], file.length);
  await file.handle.datasync();
  file.length += lines.length;
}
