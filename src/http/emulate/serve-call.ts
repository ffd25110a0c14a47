import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type {
  AuthMode,
  Checked,
  PictureHeader,
  VendorServer,
  WireCall,
  WireReply,
} from "../../providers/vendor-server.js";
import type { ReadPicture } from "./answers.js";
import type { CallLog } from "./call-log.js";
import { deliver, deliverDripping, deliverHalf, deliverHuge, htmlReply, reset, retryAfterHeader } from "./deliver.js";
import type { FaultAction } from "./faults.js";
import { pause } from "./pause.js";
import { readBody } from "./read-body.js";

/** The gateway's bound. @unit bytes */
const MAX_BODY_BYTES: Readonly<Record<VendorServer["provider"], number>> = {
  huawei: 12 * 1024 * 1024,
  shiliuai: 21 * 1024 * 1024,
};

export interface ServeDeps {
  readonly log: CallLog;
  readonly read: ReadPicture;
  readonly inspect: (bytes: Buffer) => PictureHeader | null;
  /** The vendor's wall clock: signatures and dates go by it. */
  readonly now: () => number;
  /** @unit milliseconds; before every answer */
  readonly latency: () => number;
  readonly random: () => number;
  /** The refusal of a call over the limit, or null: it may pass. */
  readonly throttle: (vendor: VendorServer) => WireReply | null;
  readonly nextRequestId: () => string;
}

export interface ServedCall {
  readonly vendor: VendorServer;
  /** Its number in the log. */
  readonly number: number;
  readonly fault: FaultAction | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** One OCR call: body → fault → who → how often → what → answer, each step logged. */
export async function serveCall(call: ServedCall, deps: ServeDeps): Promise<void> {
  const { vendor, number, fault, request, response } = call;
  const { log } = deps;
  if (fault !== null) log.setFault(number, fault.kind);
  if (fault?.kind === "reset-before") {
    log.end(number, "reset-before", false);
    return reset(response);
  }
  const body = await readBody(request, MAX_BODY_BYTES[vendor.provider]);
  if (body === null) return log.end(number, "gone", false);
  if (body === "too-large") return finish(call, deps, refusal(vendor, deps, 413), false);

  const parsed = vendor.parseCall(body);
  const digest = parsed.value === null ? null : createHash("sha256").update(parsed.value.image).digest();
  if (digest !== null) log.setImage(number, digest);
  if (fault?.kind === "reset-after") {
    log.end(number, "reset-after", false);
    return reset(response);
  }
  const broken = fault === null ? null : insteadOfAnswer(vendor, fault, deps);
  if (broken !== null) return finish(call, deps, broken, false);

  const wireRequest = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
  const auth = vendor.authenticate(wireRequest, deps.now());
  if (auth.value !== null) log.setAuth(number, auth.value);
  const answer = await answerCall(vendor, auth, parsed, digest, deps);
  await pause(deps.latency() + extraDelay(fault, deps.random), response);
  finish(call, deps, answer, answer.status === 200);
}

async function answerCall(
  vendor: VendorServer,
  auth: Checked<AuthMode>,
  parsed: Checked<WireCall>,
  digest: Buffer | null,
  deps: ServeDeps,
): Promise<WireReply> {
  const requestId = deps.nextRequestId();
  if (auth.failure !== null) return vendor.renderFailure(auth.failure, requestId);
  const throttled = deps.throttle(vendor);
  if (throttled !== null) return throttled;
  if (parsed.failure !== null) return vendor.renderFailure(parsed.failure, requestId);
  const header = deps.inspect(parsed.value.image);
  const refused = vendor.checkPicture(parsed.value, header);
  if (refused !== null) return vendor.renderFailure(refused, requestId);
  if (header === null || digest === null) return refusal(vendor, deps, 500);
  try {
    const cards = await deps.read({ bytes: parsed.value.image, digest, header });
    return vendor.renderAnswer(cards, parsed.value, requestId);
  } catch {
    return refusal(vendor, deps, 500);
  }
}

/** What goes out in place of an answer, where the fault is such a one. */
function insteadOfAnswer(vendor: VendorServer, fault: FaultAction, deps: ServeDeps): WireReply | null {
  switch (fault.kind) {
    case "status":
      return statusReply(vendor, fault, deps);
    case "html":
      return htmlReply(200);
    case "empty":
    case "huge":
      return { status: 200, headers: { "content-type": "application/json" }, body: "" };
    case "error-body": {
      const failure = vendor.failureOfStatus(fault.status, fault.code);
      return { ...vendor.renderFailure(failure, deps.nextRequestId()), status: 200 };
    }
    default:
      return null;
  }
}

function statusReply(
  vendor: VendorServer,
  fault: Extract<FaultAction, { kind: "status" }>,
  deps: ServeDeps,
): WireReply {
  const header = retryAfterHeader(fault, deps.now());
  const reply =
    fault.body === "html"
      ? htmlReply(fault.status)
      : fault.body === "empty"
        ? { status: fault.status, headers: {}, body: "" }
        : vendor.renderFailure(vendor.failureOfStatus(fault.status, fault.code), deps.nextRequestId());
  return { ...reply, headers: { ...reply.headers, ...header } };
}

function refusal(vendor: VendorServer, deps: ServeDeps, status: number): WireReply {
  return vendor.renderFailure(vendor.failureOfStatus(status), deps.nextRequestId());
}

/** Logs how the call ends, then writes it, broken in the way the fault says. */
function finish(
  { number, fault, response }: ServedCall,
  { log }: ServeDeps,
  reply: WireReply,
  isAnswer: boolean,
): void {
  if (response.destroyed || response.socket?.destroyed !== false) {
    log.end(number, "gone", false);
    return;
  }
  const isWhole = fault?.kind !== "truncated";
  log.end(number, reply.status, isAnswer && isWhole);
  response.once("close", () => {
    if (!response.writableFinished) log.lose(number);
  });
  if (fault?.kind === "drip") deliverDripping(response, reply, fault.bytes, fault.everyMs);
  else if (fault?.kind === "truncated") deliverHalf(response, reply, fault.how);
  else if (fault?.kind === "huge") deliverHuge(response, fault.bytes);
  else deliver(response, reply);
}

function extraDelay(fault: FaultAction | null, random: () => number): number {
  return fault?.kind === "delay" ? fault.ms + random() * fault.jitterMs : 0;
}
