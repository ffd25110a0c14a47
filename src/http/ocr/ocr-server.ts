import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { CardEngine } from "../../domain/card-engine.js";
import type { VendorServer, WireFailure, WireReply } from "../../providers/vendor-server.js";
import { answerPicture, MAX_BODY_BYTES, refusal } from "../vendor/answer-picture.js";
import { readBody } from "../vendor/read-body.js";
import { inspectPicture, readByEngine } from "../vendor/read-by-engine.js";
import { createRateMeter } from "./rate-meter.js";

export interface OcrServerOptions {
  /** Requests in hand at a time, from their first byte to their answer; who comes then is throttled. */
  readonly mostInHand: number;
}

export interface OcrServerDeps {
  readonly vendors: readonly VendorServer[];
  /** Started with the first picture. */
  readonly engine: () => CardEngine;
  /** Wall clock: signatures go by it. @unit Unix time in ms */
  readonly now: () => number;
}

/** Both vendors' APIs, answered by the embedded engine. */
export interface OcrServer {
  /** What the vendor would say; null: no such request of a vendor, or the caller hung up. Never throws. */
  answer(request: IncomingMessage): Promise<WireReply | null>;
}

/**
 * A call goes: a place → its body → who it is → what it wants → the picture. It is refused at any of these in the vendor's words;
 * without a place, as one too many for the rate at which answers have gone out lately.
 */
export function createOcrServer({ mostInHand }: OcrServerOptions, deps: OcrServerDeps): OcrServer {
  const meter = createRateMeter(() => performance.now());
  const nextRequestId = randomUUID;
  let inHand = 0;

  async function answerCall(vendor: VendorServer, request: IncomingMessage): Promise<WireReply | null> {
    const refuse = (failure: WireFailure) => refusal(vendor, failure, { nextRequestId });
    const body = await readBody(request, MAX_BODY_BYTES[vendor.provider]);
    if (body === null) return null;
    if (body === "too-large") return refuse(vendor.failureOfStatus(413));
    const { method = "", url = "", headers } = request;
    const auth = vendor.authenticate({ method, url, headers, body }, deps.now());
    if (auth.failure !== null) return refuse(auth.failure);
    const call = vendor.parseCall(body);
    if (call.failure !== null) return refuse(call.failure);
    return whileConnected(request, async (signal) => {
      const read = (image: Buffer) => readByEngine(deps.engine(), image, signal);
      const reply = await answerPicture(vendor, call.value, { inspect: inspectPicture, read, nextRequestId });
      meter.count();
      return reply;
    });
  }

  return {
    answer: async (request) => {
      const { method = "", url = "/" } = request;
      const path = url.split("?", 1)[0] ?? "/";
      const vendor = deps.vendors.find((candidate) => candidate.isCall(method, path));
      if (vendor === undefined) return null;
      if (inHand >= mostInHand) {
        const failure = vendor.throttled(Math.max(1, Math.ceil(meter.perSecond())));
        return refusal(vendor, { ...failure, headers: { "retry-after": "1" } }, { nextRequestId });
      }
      inHand++;
      try {
        return await answerCall(vendor, request);
      } catch {
        return refusal(vendor, null, { nextRequestId });
      } finally {
        inHand--;
      }
    },
  };
}

/** Gives up what is asked for when who asked hangs up. */
async function whileConnected<T>(
  { socket }: IncomingMessage,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const gone = new AbortController();
  const hangUp = () => gone.abort();
  socket.once("close", hangUp);
  try {
    const result = await act(gone.signal);
    return gone.signal.aborted ? null : result;
  } finally {
    socket.off("close", hangUp);
  }
}
