import type { IncomingMessage, ServerResponse } from "node:http";
import type { WireReply } from "../../providers/vendor-server.js";
import { readBody } from "../vendor/read-body.js";
import { deliver, htmlReply, reset, retryAfterHeader } from "./deliver.js";
import type { FaultAction } from "./faults.js";
import type { Iam } from "./iam.js";
import { pause } from "./pause.js";

const MAX_BODY_BYTES = 64 * 1024;

/** `POST /v3/auth/tokens`; of the faults it knows status, html, empty, delay and the resets. */
export async function serveIam(
  request: IncomingMessage,
  response: ServerResponse,
  fault: FaultAction | null,
  { iam, now }: { readonly iam: Iam; readonly now: () => number },
): Promise<void> {
  if (fault?.kind === "reset-before") return reset(response);
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body === null) return;
  if (fault?.kind === "reset-after") return reset(response);
  if (fault?.kind === "delay") await pause(fault.ms, response);
  if (response.destroyed) return;
  deliver(
    response,
    (fault && insteadOfToken(fault, now())) ?? iam.issue(body === "too-large" ? Buffer.alloc(0) : body, now()),
  );
}

function insteadOfToken(fault: FaultAction, nowMs: number): WireReply | null {
  if (fault.kind === "html") return htmlReply(200);
  if (fault.kind === "empty") return { status: 200, headers: {}, body: "" };
  if (fault.kind !== "status") return null;
  const reply = htmlReply(fault.status);
  return { ...reply, headers: { ...reply.headers, ...retryAfterHeader(fault, nowMs) } };
}
