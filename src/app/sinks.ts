import { isIP } from "node:net";
import type { App } from "../app.js";
import { ConfigError } from "../domain/errors.js";
import type { ResultSink } from "../domain/sink.js";
import { createPostgresSink } from "../postgres/postgres-sink.js";
import { parseEndpoint } from "../providers/endpoint.js";
import { createHttpClient } from "../providers/http-client.js";
import { createS3Client, type S3Client, type S3Transport } from "../s3/s3-client.js";
import { createS3Sink } from "../s3/s3-sink.js";

const CONNECTIONS = 4;
const TIMEOUT_MS = 120_000;
/** Of replies; objects are only written. */
const MAX_REPLY_BYTES = 64 * 1024;

/**
 * The sinks that settings or options name besides the files.
 * @param folder names the folder of the files
 * @throws ConfigError for one that is none, or lacks settings
 */
export function createSinks(app: Pick<App, "config" | "defer">, folder: string): readonly ResultSink[] {
  const sinks = app.config.sinks.map((name) => createSink(name, app, folder));
  const twice = sinks.find(({ place }, i) => sinks.findIndex((other) => other.place === place) !== i);
  if (twice !== undefined) throw new ConfigError(`sink ${twice.place}: named twice`);
  return sinks;
}

function createSink(name: string, app: Pick<App, "config" | "defer">, folder: string): ResultSink {
  if (/^postgres(ql)?:/.test(name)) return createPostgresSink(name);
  const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(name) ?? [];
  if (bucket !== undefined) {
    return createS3Sink(openS3(app), { bucket, prefix: prefix.replace(/^\/+|\/+$/g, ""), folder });
  }
  // Not repeated: it may hold a password.
  throw new ConfigError("--sink takes postgres://user@host/database, or s3://bucket/prefix");
}

function openS3({ config, defer }: Pick<App, "config" | "defer">): S3Client {
  const { endpoint: address, accessKey, secretKey, ...options } = config.s3;
  const missing = { ENDPOINT: address, ACCESS_KEY: accessKey, SECRET_KEY: secretKey };
  if (address === undefined || accessKey === undefined || secretKey === undefined) {
    const names = Object.entries(missing).flatMap(([name, value]) =>
      value === undefined ? [`CARDBATCH_S3_${name}`] : [],
    );
    throw new ConfigError(`s3://: set ${names.join(", ")}`);
  }
  const { origin, hostname } = parseEndpoint(address, "CARDBATCH_S3_ENDPOINT", config.allowHttp);
  if (options.addressing === "host" && isIP(hostname) !== 0) {
    throw new ConfigError(`CARDBATCH_S3_ENDPOINT: no bucket goes before ${hostname}; set CARDBATCH_S3_ADDRESSING=path`);
  }
  const { httpsProxy, noProxy } = config;
  const http = createHttpClient({ connections: CONNECTIONS, httpsProxy, noProxy });
  defer(() => http.close());
  const transport: S3Transport = async ({ url, ...request }, signal) => {
    const endpoint = parseEndpoint(url.origin, "CARDBATCH_S3_ENDPOINT", [...config.allowHttp, url.hostname]);
    const path = url.pathname + url.search;
    const limits = { timeoutMs: TIMEOUT_MS, maxResponseBytes: MAX_REPLY_BYTES };
    return http.send({ peer: "s3", endpoint, path, ...request, ...limits }, signal);
  };
  return createS3Client({ origin, accessKey, secretKey, ...options }, transport);
}
