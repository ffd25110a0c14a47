import { ConfigError } from "../domain/errors.js";
import type { ResultSink } from "../domain/sink.js";
import { createPostgresSink } from "../postgres/postgres-sink.js";

/** The sinks that settings or options name besides the files. @throws ConfigError for one that is none */
export function createSinks(names: readonly string[]): readonly ResultSink[] {
  const sinks = names.map(createSink);
  const twice = sinks.find(({ place }, i) => sinks.findIndex((other) => other.place === place) !== i);
  if (twice !== undefined) throw new ConfigError(`sink ${twice.place}: named twice`);
  return sinks;
}

function createSink(name: string): ResultSink {
  if (/^postgres(ql)?:/.test(name)) return createPostgresSink(name);
  // Not repeated: it may hold a password.
  throw new ConfigError("--sink takes postgres://user@host/database");
}
