import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";

/** An S3-compatible store: OBS, MinIO, AWS. */
export interface S3Options {
  /** `https://obs.cn-north-4.myhuaweicloud.com`, `http://127.0.0.1:9000`; no path. */
  readonly origin: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly securityToken?: string | undefined;
  /** `host`: the bucket is the first part of the host's name (OBS wants that); `path`: it begins the path (MinIO). */
  readonly addressing: "host" | "path";
}

export interface S3Request {
  readonly method: "GET" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface S3Reply {
  readonly status: number;
  readonly body: Buffer;
  /** Why the body is not whole; null: it is. */
  readonly cut: string | null;
}

/** Sends one request and brings the whole reply; rejects when there is none. */
export type S3Transport = (request: S3Request, signal: AbortSignal) => Promise<S3Reply>;

/** The store said no. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly status: number;
  /** Its own word, such as `NoSuchBucket`; null: it gave none. */
  readonly code: string | null;

  constructor(status: number, code: string | null) {
    super(`${status}${code === null ? "" : ` ${code}`}`);
    this.status = status;
    this.code = code;
  }
}

/** An object as a listing tells of it. */
export interface StoredObject {
  readonly key: string;
  /** Another one when the object has changed: ETag, size, time of the last change; null: the store gives no ETag. */
  readonly stamp: string | null;
}

export interface S3Client {
  /** Without credentials. */
  readonly origin: string;
  /** @throws S3Error, or what the transport throws */
  put(bucket: string, key: string, body: Buffer, signal: AbortSignal): Promise<void>;
  /** @throws S3Error (code `too-large` for more than the transport takes), or what the transport throws */
  get(bucket: string, key: string, signal: AbortSignal): Promise<Buffer>;
  /**
   * Every object whose key begins with the prefix, in the store's order, in memory that does not grow with them.
   * @throws S3Error, or what the transport throws
   */
  list(bucket: string, prefix: string, signal: AbortSignal): AsyncIterable<StoredObject>;
}

/** AWS Signature Version 4 over the hash of the body, by aws4fetch; the transport is the caller's, proxies and TLS with it. */
export function createS3Client(options: S3Options, transport: S3Transport): S3Client {
  const { origin, region, accessKey, secretKey, securityToken } = options;
  const send = async (method: S3Request["method"], url: URL, body: Buffer | null, signal: AbortSignal) => {
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        "x-amz-content-sha256": createHash("sha256")
          .update(body ?? "")
          .digest("hex"),
      },
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      ...(securityToken === undefined ? {} : { sessionToken: securityToken }),
      service: "s3",
      region,
    });
    const signed = await signer.sign();
    const reply = await transport(
      { method, url: signed.url, headers: Object.fromEntries(signed.headers), body },
      signal,
    );
    if (reply.status < 200 || reply.status > 299) throw new S3Error(reply.status, codeIn(reply.body));
    if (reply.cut !== null) throw new S3Error(reply.status, reply.cut);
    return reply.body;
  };
  return {
    origin,
    put: async (bucket, key, body, signal) => void (await send("PUT", objectUrl(options, bucket, key), body, signal)),
    get: (bucket, key, signal) => send("GET", objectUrl(options, bucket, key), null, signal),
    list: async function* (bucket, prefix, signal) {
      for (let marker = ""; ; ) {
        const url = objectUrl(options, bucket, "");
        // The first version of listing is the one that every store has.
        url.search = new URLSearchParams({ "max-keys": KEYS_AT_A_TIME, prefix, ...(marker === "" ? {} : { marker }) })
          .toString()
          .replaceAll("+", "%20");
        const text = (await send("GET", url, null, signal)).toString();
        const objects = [...text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, fields = ""]) => objectIn(fields));
        yield* objects;
        const last = objects.at(-1);
        if (last === undefined || !/<IsTruncated>\s*true\s*</.test(text)) return;
        marker = last.key;
      }
    },
  };
}

const KEYS_AT_A_TIME = "1000";
function objectIn(fields: string): StoredObject {
  const field = (name: string) => {
    const [, text = null] = new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(fields) ?? [];
    return text === null ? null : unescapeXml(text);
  };
  const etag = field("ETag");
  return {
    key: field("Key") ?? "",
    stamp: etag === null ? null : [etag, field("Size"), field("LastModified")].join(" "),
  };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

function objectUrl({ origin, addressing }: S3Options, bucket: string, key: string): URL {
  const url = new URL(origin);
  const path = key.split("/").map(encodeKeyPart).join("/");
  if (addressing === "host") url.host = `${bucket}.${url.host}`;
  url.pathname = addressing === "host" ? `/${path}` : `/${bucket}/${path}`;
  return url;
}

/** As the signature has it: everything but letters, digits and `-._~`. */
function encodeKeyPart(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function codeIn(body: Buffer): string | null {
  return /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(body.toString("utf8", 0, 4096))?.[1] ?? null;
}
