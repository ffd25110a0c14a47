import { isIP } from "node:net";
import type { Config } from "../config/settings.js";
import { objectPlace } from "../domain/bucket-path.js";
import { CancelledError, CardbatchError, ConfigError, ImageError } from "../domain/errors.js";
import { DEFAULT_MAX_BYTES } from "../image/open-image.js";
import { parseEndpoint } from "../providers/endpoint.js";
import { createHttpClient, type HttpClient } from "../providers/http-client.js";
import { createS3Client, type S3Client, S3Error, type S3Transport } from "../s3/s3-client.js";

const CONNECTIONS = 32;
const TIMEOUT_MS = 120_000;

/** The one S3-compatible store that the settings name; reached when it is first needed. */
export interface Buckets {
  /** @throws ConfigError when its settings are missing */
  client(): S3Client;
  /**
   * The bytes of the image at a path of a bucket.
   * @throws ImageError that says why it cannot be used
   * @throws CardbatchError `storage-unavailable`
   */
  read(path: string, signal: AbortSignal): Promise<Buffer>;
  close(): Promise<void>;
}

export function createBuckets(config: Pick<Config, "s3" | "allowHttp" | "httpsProxy" | "noProxy">): Buckets {
  let http: HttpClient | null = null;
  let client: S3Client | null = null;
  const open = () => {
    const { httpsProxy, noProxy } = config;
    http = createHttpClient({ connections: CONNECTIONS, httpsProxy, noProxy });
    return openClient(config, http);
  };
  const connected = () => {
    client ??= open();
    return client;
  };
  return {
    client: connected,
    read: (path, signal) => readImage(connected(), path, signal),
    close: async () => {
      await http?.close();
    },
  };
}

function openClient({ s3, allowHttp }: Pick<Config, "s3" | "allowHttp">, http: HttpClient): S3Client {
  const { endpoint: address, accessKey, secretKey, ...options } = s3;
  const missing = { ENDPOINT: address, ACCESS_KEY: accessKey, SECRET_KEY: secretKey };
  if (address === undefined || accessKey === undefined || secretKey === undefined) {
    const names = Object.entries(missing).flatMap(([name, value]) =>
      value === undefined ? [`CARDBATCH_S3_${name}`] : [],
    );
    throw new ConfigError(`s3://: set ${names.join(", ")}`);
  }
  const { origin, hostname } = parseEndpoint(address, "CARDBATCH_S3_ENDPOINT", allowHttp);
  if (options.addressing === "host" && isIP(hostname) !== 0) {
    throw new ConfigError(`CARDBATCH_S3_ENDPOINT: no bucket goes before ${hostname}; set CARDBATCH_S3_ADDRESSING=path`);
  }
  const transport: S3Transport = async ({ url, ...request }, signal) => {
    const endpoint = parseEndpoint(url.origin, "CARDBATCH_S3_ENDPOINT", [...allowHttp, url.hostname]);
    const path = url.pathname + url.search;
    const limits = { timeoutMs: TIMEOUT_MS, maxResponseBytes: DEFAULT_MAX_BYTES };
    return http.send({ peer: "s3", endpoint, path, ...request, ...limits }, signal);
  };
  return createS3Client({ origin, accessKey, secretKey, ...options }, transport);
}

async function readImage(client: S3Client, path: string, signal: AbortSignal): Promise<Buffer> {
  const place = objectPlace(path);
  if (place === null || place.key === "")
    throw new ImageError("image-reference", "the path names no object of a bucket");
  try {
    const bytes = await client.get(place.bucket, place.key, signal);
    if (bytes.length === 0) throw new ImageError("image-empty", "the object has no bytes");
    return bytes;
  } catch (error) {
    throw toImageError(error);
  }
}

/** Of the store's reply only its status and its own word are kept. */
function toImageError(error: unknown): unknown {
  if (error instanceof CancelledError || error instanceof ImageError) return error;
  if (!(error instanceof S3Error))
    return new CardbatchError("storage-unavailable", "the store of the image did not answer");
  if (error.code === "too-large")
    return new ImageError("image-too-large", `the object has more than ${DEFAULT_MAX_BYTES} bytes`);
  if (error.status === 404) return new ImageError("image-not-found", `the store has no such object (${error.message})`);
  if (error.status === 403)
    return new ImageError("image-unreadable", `the store refuses to give the object (${error.message})`);
  return new CardbatchError("storage-unavailable", `the store answered ${error.message}`);
}
