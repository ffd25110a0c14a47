import type { ServerResponse } from "node:http";
import type { WireReply } from "../../providers/vendor-server.js";
import type { FaultAction } from "./faults.js";

const HTML = "<html><head><title>Gateway</title></head><body><h1>Something is not right</h1></body></html>";
const CHUNK_BYTES = 64 * 1024;

/** Writes a reply as it is meant to be. */
export function deliver(response: ServerResponse, reply: WireReply): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, { ...reply.headers, "content-length": body.length });
  response.end(body);
}

/** Writes an answer a few bytes at a time. */
export function deliverDripping(response: ServerResponse, reply: WireReply, bytes: number, everyMs: number): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, { ...reply.headers, "content-length": body.length });
  let offset = 0;
  const writeSome = () => {
    response.write(body.subarray(offset, offset + bytes));
    offset += bytes;
    if (offset < body.length) return;
    clearInterval(timer);
    response.end();
  };
  const timer = setInterval(writeSome, everyMs);
  response.once("close", () => clearInterval(timer));
  writeSome();
}

/** Writes half of an answer; `cut` promises all of it and closes the connection. */
export function deliverHalf(response: ServerResponse, reply: WireReply, how: "length" | "cut"): void {
  const body = Buffer.from(reply.body);
  const half = body.subarray(0, Math.floor(body.length / 2));
  const length = how === "length" ? half.length : body.length;
  response.writeHead(reply.status, { ...reply.headers, "content-length": length });
  if (how === "length") response.end(half);
  else response.write(half, () => response.socket?.destroy());
}

/** So many bytes that mean nothing, no faster than they are taken. */
export function deliverHuge(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": bytes });
  const chunk = Buffer.alloc(CHUNK_BYTES, " ");
  let left = bytes;
  const writeOn = () => {
    while (left > 0) {
      const size = Math.min(left, chunk.length);
      left -= size;
      if (!response.write(chunk.subarray(0, size))) return void response.once("drain", writeOn);
    }
    response.end();
  };
  writeOn();
}

export function htmlReply(status: number): WireReply {
  return { status, headers: { "content-type": "text/html" }, body: HTML };
}

/** Closes with a reset rather than politely. */
export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** The Retry-After header of a fault, in whatever form it was wished for. */
export function retryAfterHeader(
  fault: Extract<FaultAction, { kind: "status" }>,
  nowMs: number,
): Record<string, string> {
  const { retryAfter } = fault;
  if (retryAfter === undefined) return {};
  const text = typeof retryAfter === "string" ? retryAfter : new Date(nowMs + retryAfter.dateInMs).toUTCString();
  return { "retry-after": text };
}
