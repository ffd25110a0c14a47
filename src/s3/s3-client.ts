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

/** Sends one request and brings the whole reply; rejects when there is none. */
export type S3Transport = (
  request: S3Request,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly body: Buffer }>;

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

export interface S3Client {
  /** Without credentials. */
  readonly origin: string;
  /** @throws S3Error, or what the transport throws */
  put(bucket: string, key: string, body: Buffer, signal: AbortSignal): Promise<void>;
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
    return reply.body;
  };
  return {
    origin,
    put: async (bucket, key, body, signal) => void (await send("PUT", objectUrl(options, bucket, key), body, signal)),
  };
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
