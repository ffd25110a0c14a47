import { createHash } from "node:crypto";
import type { Answer } from "../../domain/answer.js";
import type { EncodedCall, OcrProvider } from "../../domain/provider.js";
import type { ShiliuaiAuth } from "../../domain/vendor-auth.js";
import type { Clock } from "../clock.js";
import type { HttpClient } from "../http-client.js";
import { encodeImageBody } from "../image-body.js";
import { isSuccess, parseJson, unreadableReply } from "../reply.js";
import { authHeaders, SHILIUAI_PATH } from "./auth.js";
import { SHILIUAI_BOUNDS } from "./bounds.js";
import { checkShiliuai } from "./check.js";
import { requestIdOf, shiliuaiFailure } from "./failure.js";
import { resolveShiliuaiOptions, type ShiliuaiOptions } from "./options.js";
import { claimsSuccess, parseShiliuaiBody, parseShiliuaiCards } from "./reply-body.js";

export interface ShiliuaiDeps {
  readonly clock: Clock;
  /** Stays open: who opened it closes it. */
  readonly http: HttpClient;
}

/**
 * Shiliuai OCR, bank cards: `POST {endpoint}/api/bank_card_ocr/v1`. Several cards a picture; what it charges for it does
 * not say, so every 2xx counts.
 * @throws ConfigError naming the setting that makes no sense
 */
export function createShiliuaiProvider(options: ShiliuaiOptions, deps: ShiliuaiDeps): OcrProvider {
  const resolved = resolveShiliuaiOptions(options);
  const { endpoint, auth, timeoutMs, maxResponseBytes } = resolved;
  const { clock, http } = deps;

  async function call(encoded: EncodedCall, signal: AbortSignal): Promise<Answer> {
    const headers = authHeaders(auth, clock.now());
    const limits = { timeoutMs, maxResponseBytes };
    const request = {
      peer: "shiliuai",
      endpoint,
      method: "POST",
      path: SHILIUAI_PATH,
      headers,
      body: encoded.body,
    } as const;
    const reply = await http.send({ ...request, ...limits }, signal);
    const body = parseShiliuaiBody(parseJson(reply));
    if (isSuccess(reply) && (body === null || claimsSuccess(body))) {
      const cards = body && parseShiliuaiCards(body.data, encoded.image.pixelsPerSentPixel);
      const requestId = requestIdOf(reply, body);
      if (cards === null) throw unreadableReply("shiliuai", reply, requestId);
      return { provider: "shiliuai", cards, requestId, latencyMs: reply.latencyMs, billable: true };
    }
    throw shiliuaiFailure(reply, body, { auth: auth.kind, nowMs: clock.now() });
  }

  const provider: OcrProvider = {
    name: "shiliuai",
    bounds: SHILIUAI_BOUNDS,
    cardsPerImage: "many",
    answerOptions: "",
    account: accountName(auth),
    async authorize() {},
    encode: (image) => ({ body: encodeImageBody('{"image_base64":"', image.bytes, '"}'), bodySha256: "", image }),
    call,
    check: (image, signal) => checkShiliuai({ provider, options: resolved, clock, http }, image, signal),
    async close() {},
  };
  return provider;
}

function accountName(auth: ShiliuaiAuth): string {
  const identity = auth.kind === "appcode" ? `code ${auth.appCode}` : `key ${auth.appKey}`;
  return createHash("sha256").update(identity).digest("hex").slice(0, 12);
}
