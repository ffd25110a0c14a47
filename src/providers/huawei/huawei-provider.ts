import { createHash } from "node:crypto";
import type { Answer } from "../../domain/answer.js";
import type { PreparedImage } from "../../domain/image.js";
import type { EncodedCall, OcrProvider } from "../../domain/provider.js";
import type { Clock } from "../clock.js";
import type { HttpClient, HttpReply } from "../http-client.js";
import { encodeImageBody } from "../image-body.js";
import { isSuccess, parseJson, pickRequestId, unreadableReply } from "../reply.js";
import { authorizationHeader, DATE_HEADER, formatSdkDate, sha256 } from "./aksk.js";
import { parseHuaweiAnswer } from "./answer.js";
import { HUAWEI_BOUNDS } from "./bounds.js";
import { checkHuawei } from "./check.js";
import { huaweiFailure } from "./failure.js";
import { createTokenSource } from "./iam-token.js";
import { type HuaweiOptions, type ResolvedHuaweiOptions, resolveHuaweiOptions } from "./options.js";

export interface HuaweiDeps {
  readonly clock: Clock;
  /** Stays open: who opened it closes it. */
  readonly http: HttpClient;
}

/**
 * Huawei Cloud OCR, bank cards: `POST {endpoint}/v2/{project_id}/ocr/bankcard`. One card a picture; only 2xx is charged.
 * @throws ConfigError naming the setting that makes no sense
 */
export function createHuaweiProvider(options: HuaweiOptions, deps: HuaweiDeps): OcrProvider {
  const resolved = resolveHuaweiOptions(options);
  const { endpoint, projectId, auth, textLocation } = resolved;
  const { clock, http } = deps;
  const path = `/v2/${projectId}/ocr/bankcard`;
  const afterImage = textLocation ? '","return_text_location":true}' : '"}';
  const tokens =
    auth.kind === "iam" ? createTokenSource({ ...auth, projectId, timeoutMs: resolved.timeoutMs }, deps) : null;

  async function call(encoded: EncodedCall, signal: AbortSignal): Promise<Answer> {
    const token = auth.kind === "token" ? auth.token : ((await tokens?.get(signal)) ?? null);
    const headers = token === null ? signedHeaders(resolved, path, encoded, clock) : tokenHeaders(resolved, token);
    const limits = { timeoutMs: resolved.timeoutMs, maxResponseBytes: resolved.maxResponseBytes };
    const request = { peer: "huawei", endpoint, method: "POST", path, headers, body: encoded.body, ...limits } as const;
    const reply = await http.send(request, signal);
    const json = parseJson(reply);
    const cards = isSuccess(reply) ? parseHuaweiAnswer(json, encoded.image.pixelsPerSentPixel) : null;
    if (cards !== null)
      return { provider: "huawei", cards, requestId: requestIdOf(reply), latencyMs: reply.latencyMs, billable: true };
    if (isSuccess(reply) && !saysError(json)) throw unreadableReply("huawei", reply, requestIdOf(reply));
    const failure = huaweiFailure(reply, json, { auth: auth.kind, nowMs: clock.now() });
    if (failure.code === "provider-token" && token !== null) tokens?.refuse(token);
    throw failure;
  }

  const provider: OcrProvider = {
    name: "huawei",
    bounds: HUAWEI_BOUNDS,
    cardsPerImage: "one",
    answerOptions: textLocation ? "text-location" : "",
    account: createHash("sha256").update(projectId).digest("hex").slice(0, 12),
    async authorize(signal) {
      await tokens?.get(signal);
    },
    ...(tokens === null ? {} : { renew: (signal: AbortSignal) => tokens.renew(signal) }),
    encode(image: PreparedImage) {
      const body = encodeImageBody('{"image":"', image.bytes, afterImage);
      return { body, bodySha256: auth.kind === "aksk" ? sha256(body) : "", image };
    },
    call,
    check: (image, signal) => checkHuawei({ provider, options: resolved, clock, http }, image, signal),
    async close() {
      tokens?.close();
    },
  };
  return provider;
}

function tokenHeaders(options: ResolvedHuaweiOptions, token: string): Record<string, string> {
  return { ...commonHeaders(options), "x-auth-token": token };
}

/** Signs with the present time over exactly the bytes that go out (I6). */
function signedHeaders(
  options: ResolvedHuaweiOptions,
  path: string,
  encoded: EncodedCall,
  clock: Clock,
): Record<string, string> {
  const { endpoint, auth } = options;
  if (auth.kind !== "aksk") throw new TypeError(`nothing to sign with: ${auth.kind}`);
  const headers: Record<string, string> = {
    ...commonHeaders(options),
    host: endpoint.host,
    [DATE_HEADER]: formatSdkDate(new Date(clock.now())),
    ...(auth.securityToken === undefined ? {} : { "x-security-token": auth.securityToken }),
  };
  const request = {
    method: "POST",
    path: endpoint.basePath + path,
    query: [],
    headers,
    bodySha256: encoded.bodySha256,
  };
  return { ...headers, authorization: authorizationHeader(request, auth) };
}

function commonHeaders({ enterpriseProjectId }: ResolvedHuaweiOptions): Record<string, string> {
  const json = { "content-type": "application/json" };
  return enterpriseProjectId === null ? json : { ...json, "enterprise-project-id": enterpriseProjectId };
}

function requestIdOf(reply: HttpReply): string | null {
  return pickRequestId(reply.headers["x-request-id"]);
}

function saysError(json: unknown): boolean {
  return typeof json === "object" && json !== null && "error_code" in json;
}
