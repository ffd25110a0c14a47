import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const S3_KEYS = { accessKey: "test-access-key", secretKey: "test-secret-key", region: "cn-north-4" } as const;

/**
 * As much of S3 as is used, in memory: objects are put and read by either way of addressing, and every request's signature
 * (AWS Signature Version 4) is checked by the letter of its description, apart from the client's library.
 */
export interface S3Server {
  readonly origin: string;
  /** By bucket and key, `bucket/a/b`. */
  readonly objects: Map<string, Buffer>;
  /** Objects that were asked for, in order. */
  readonly read: readonly string[];
  /** What each request was answered with. */
  readonly statuses: readonly number[];
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** @param addressing `host`: the bucket is the first part of the Host header */
export async function startS3Server(addressing: "host" | "path"): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const statuses: number[] = [];
  const read: string[] = [];
  const answer = (response: ServerResponse, status: number, code: string | null) => {
    statuses.push(status);
    response.statusCode = status;
    response.end(code === null ? "" : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (!isSigned(request, body)) return answer(response, 403, "SignatureDoesNotMatch");
    const path = decodeURIComponent(new URL(request.url ?? "", "http://s3").pathname);
    const bucket = addressing === "host" ? `/${request.headers.host?.split(".")[0]}` : "";
    const name = `${bucket}${path}`.slice(1);
    if (!name.startsWith("results/")) return answer(response, 404, "NoSuchBucket");
    if (request.method === "PUT") objects.set(name, body);
    const found = request.method === "GET" ? objects.get(name) : Buffer.alloc(0);
    const listed = new URL(request.url ?? "", "http://s3").searchParams;
    if (listed.has("max-keys")) return void response.end(listXml(objects, name, listed));
    if (found === undefined) return answer(response, 404, "NoSuchKey");
    statuses.push(200);
    if (request.method === "GET") read.push(name);
    response.end(found);
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    // No bucket goes before an address of numbers.
    origin: `http://${addressing === "host" ? "localhost" : "127.0.0.1"}:${port}`,
    objects,
    read,
    statuses,
    start: () => listen(port),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const MOST_KEYS = 2;
const escapeXml = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** ListObjects, version 1; a few keys at a time, so that nobody gets by without asking on. @param bucket with `/` at its end */
function listXml(objects: ReadonlyMap<string, Buffer>, bucket: string, asked: URLSearchParams): string {
  const keys = [...objects.keys()]
    .flatMap((name) => (name.startsWith(bucket) ? [name.slice(bucket.length)] : []))
    .toSorted();
  const left = keys.filter((key) => key.startsWith(asked.get("prefix") ?? "") && key > (asked.get("marker") ?? ""));
  const contents = left
    .slice(0, MOST_KEYS)
    .map((key) => `<Contents><Key>${escapeXml(key)}</Key>${tellOf(objects.get(bucket + key))}</Contents>`);
  const isCut = left.length > MOST_KEYS;
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isCut}</IsTruncated>${contents.join("\n")}</ListBucketResult>`;
}

function tellOf(bytes: Buffer = Buffer.alloc(0)): string {
  const etag = `&quot;${createHash("md5").update(bytes).digest("hex")}&quot;`;
  return `<LastModified>2026-11-22T08:00:00.000Z</LastModified><ETag>${etag}</ETag><Size>${bytes.length}</Size>`;
}

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

function isSigned(request: IncomingMessage, body: Buffer): boolean {
  const { authorization = "" } = request.headers;
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const [, accessKey, day, region, names = "", signature] = pattern.exec(authorization) ?? [];
  const header = (name: string) =>
    String(request.headers[name] ?? "")
      .trim()
      .replace(/ +/g, " ");
  if (accessKey !== S3_KEYS.accessKey || region !== S3_KEYS.region || day === undefined) return false;
  const mustBeSigned = ["host", "x-amz-date", "x-amz-content-sha256"].every((name) => names.split(";").includes(name));
  if (!mustBeSigned || header("x-amz-content-sha256") !== sha256(body)) return false;
  const [path = "", search = ""] = (request.url ?? "").split("?");
  const query = search.split("&").toSorted().join("&");
  const headers = names.split(";").map((name) => `${name}:${header(name)}\n`);
  const canonical = [request.method, path, query, headers.join(""), names, sha256(body)].join("\n");
  const time = header("x-amz-date");
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${S3_KEYS.secretKey}`);
  return signature === hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
}
