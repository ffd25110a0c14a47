import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ConfigError } from "../../domain/errors.js";
import { readBody } from "../vendor/read-body.js";
import { renderReport } from "./call-report.js";
import type { World } from "./world.js";

const MAX_FAULTS_BYTES = 1024 * 1024;

/**
 * What tests ask of the emulator:
 * - `GET /__calls`: totals, counts of each picture, every call in order. `?summary=1` leaves the calls out, `?images=0`
 *   the pictures; `?since=n&limit=m` gives a part of the calls, and `next` where to go on (null: that was all).
 * - `GET /__faults`, `POST /__faults`: the rules; see `faults.ts`.
 * - `POST /__reset`: forgets calls and faults; the limit is that of the start.
 */
export async function serveAdmin(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  world: World,
): Promise<void> {
  const route = `${request.method} ${url.pathname}`;
  if (route === "GET /__calls") return sendReport(response, url.searchParams, world);
  if (route === "GET /__faults") return sendJson(response, 200, world.faults);
  if (route === "POST /__faults") return takeFaults(request, response, world);
  if (route === "POST /__reset") {
    request.resume();
    world.reset();
    return sendJson(response, 200, { reset: true });
  }
  request.resume();
  return sendJson(response, 404, { error: `no ${route} here` });
}

async function sendReport(response: ServerResponse, query: URLSearchParams, { log, iam }: World): Promise<void> {
  const since = Number(query.get("since") ?? 0) || 0;
  const limit = Number(query.get("limit") ?? log.size) || 0;
  const list = query.get("summary") === "1" ? null : { since, limit };
  response.writeHead(200, { "content-type": "application/json" });
  const report = renderReport(log, iam.counts, { list, images: query.get("images") !== "0" });
  // A reader who hangs up is no fault of ours.
  await pipeline(Readable.from(report), response).catch(() => {});
}

async function takeFaults(request: IncomingMessage, response: ServerResponse, world: World): Promise<void> {
  const body = await readBody(request, MAX_FAULTS_BYTES);
  if (body === null) return;
  try {
    if (body === "too-large") throw new ConfigError("faults: too large");
    world.setFaults(parseJson(body));
    sendJson(response, 200, world.faults);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    sendJson(response, 400, { error: error.message });
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new ConfigError("faults: not JSON");
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
