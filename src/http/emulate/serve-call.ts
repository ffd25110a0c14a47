import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { PictureHeader, VendorServer, WireFailure, WireReply } from "../../providers/vendor-server.js";
import { answerPicture, MAX_BODY_BYTES, refusal } from "../vendor/answer-picture.js";
import { readBody } from "../vendor/read-body.js";
import type { ReadPicture } from "./answers.js";
import type { CallLog } from "./call-log.js";
import { deliver, deliverDripping, deliverHalf, deliverHuge, reset } from "./deliver.js";
import type { FaultAction } from "./faults.js";
import { pause } from "./pause.js";
import { replyInstead } from "./reply-instead.js";

export interface ServeDeps {
  readonly log: CallLog;
  readonly read: ReadPicture;
  readonly inspect: (bytes: Buffer) => PictureHeader | null;
  /** The vendor's wall clock: signatures and dates go by it. */
  readonly now: () => number;
  /** @unit milliseconds; before every answer */
  readonly latency: () => number;
  readonly random: () => number;
  readonly nextRequestId: () => string;
}

export interface ServedCall {
  readonly vendor: VendorServer;
  /** Its number in the log. */
  readonly number: number;
  readonly fault: FaultAction | null;
  /** The refusal of a call over the limit; null: it may pass. */
  readonly throttled: WireFailure | null;
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
  if (body === "too-large") return finish(call, deps, refusal(vendor, vendor.failureOfStatus(413), deps), false);

  const parsed = vendor.parseCall(body);
  const digest = parsed.value === null ? null : createHash("sha256").update(parsed.value.image).digest();
  if (digest !== null) log.setImage(number, digest);
  if (fault?.kind === "reset-after") {
    log.end(number, "reset-after", false);
    return reset(response);
  }
  const broken = fault === null ? null : replyInstead(vendor, fault, deps);
  if (broken !== null) return finish(call, deps, broken, false);

  const wireRequest = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
  const auth = vendor.authenticate(wireRequest, deps.now());
  if (auth.value !== null) log.setAuth(number, auth.value);
  const failure = auth.failure ?? call.throttled ?? parsed.failure;
  const answer =
    failure === null && parsed.value !== null && digest !== null
      ? await answerPicture(vendor, parsed.value, {
          ...deps,
          read: (bytes, header) => deps.read({ bytes, digest, header }),
        })
      : refusal(vendor, failure, deps);
  await pause(deps.latency() + extraDelay(fault, deps.random), response);
  finish(call, deps, answer, answer.status === 200);
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
