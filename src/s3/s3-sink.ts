import { SinkError } from "../domain/errors.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { ResultSink } from "../domain/sink.js";
import { type S3Client, S3Error } from "./s3-client.js";

/** Few large objects rather than many small ones. */
const MOST = 5000;
const LINGER_MS = 10_000;

export interface S3Place {
  readonly bucket: string;
  /** Without slashes around it; empty: none. */
  readonly prefix: string;
  /** Tells this run's folder from others that write the same batch there. */
  readonly folder: string;
}

/**
 * Writes outcomes as objects of NDJSON, `<prefix>/<batch>/<folder>-00000001.ndjson`, one a write and batch. A write that comes again
 * is the same objects again. An object is never changed after the next one is there: of a request with several lines the one
 * finished last counts.
 */
export function createS3Sink(client: S3Client, { bucket, prefix, folder }: S3Place): ResultSink {
  const closing = new AbortController();
  const place = `s3://${bucket}/${prefix} at ${client.origin}`;
  return {
    name: "s3",
    place,
    taste: { most: MOST, lingerMs: LINGER_MS },
    write: async (records, part) => {
      for (const [batch, its] of byBatch(records)) {
        const name = `${folder}-${String(part).padStart(8, "0")}.ndjson`;
        const key = [prefix, batch, name].filter((each) => each !== "").join("/");
        const body = Buffer.from(its.map((record) => `${JSON.stringify(record)}\n`).join(""));
        await client.put(bucket, key, body, closing.signal).catch((error: unknown) => {
          throw new SinkError("sink-unavailable", `${place} took no outcomes (${wordOf(error)})`);
        });
      }
    },
    close: async () => closing.abort(),
  };
}

function byBatch(records: readonly OutcomeRecord[]): Map<string, OutcomeRecord[]> {
  const batches = new Map<string, OutcomeRecord[]>();
  for (const record of records) {
    const its = batches.get(record.batch);
    if (its === undefined) batches.set(record.batch, [record]);
    else its.push(record);
  }
  return batches;
}

function wordOf(error: unknown): string {
  if (error instanceof S3Error) return error.message;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "no answer";
}
