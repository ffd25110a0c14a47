import type { App } from "../app.js";
import { bucketFolder, objectPlace } from "../domain/bucket-path.js";
import { ConfigError } from "../domain/errors.js";
import type { ResultSink } from "../domain/sink.js";
import { createPostgresSink } from "../postgres/postgres-sink.js";
import { createS3Sink } from "../s3/s3-sink.js";

type Deps = Pick<App, "config" | "buckets">;

/**
 * The sinks that settings or options name besides the files.
 * @param folder names the folder of the files
 * @throws ConfigError for one that is none, or lacks settings
 */
export function createSinks(deps: Deps, folder: string): readonly ResultSink[] {
  const sinks = deps.config.sinks.map((name) => createSink(name, deps, folder));
  const twice = sinks.find(({ place }, i) => sinks.findIndex((other) => other.place === place) !== i);
  if (twice !== undefined) throw new ConfigError(`sink ${twice.place}: named twice`);
  return sinks;
}

function createSink(name: string, { buckets }: Deps, folder: string): ResultSink {
  if (/^postgres(ql)?:/.test(name)) return createPostgresSink(name);
  const place = objectPlace(bucketFolder(name) ?? "");
  if (place !== null) return createS3Sink(buckets.client(), { bucket: place.bucket, prefix: place.key, folder });
  // Not repeated: it may hold a password.
  throw new ConfigError("--sink takes postgres://user@host/database, or s3://bucket/prefix");
}
