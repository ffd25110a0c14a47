import { decodeBase64, decodeImageBody } from "../image-body.js";
import { isSameSecret } from "../same-secret.js";
import {
  type AuthMode,
  type Checked,
  type PictureHeader,
  pass,
  refuse,
  renderJson,
  type VendorServer,
  type WireCall,
  type WireCard,
  type WireFailure,
  type WireReply,
  type WireRequest,
} from "../vendor-server.js";
import { SHILIUAI_PATH } from "./auth.js";
import { SHILIUAI_BOUNDS } from "./bounds.js";
import { shiliuaiSignature } from "./signature.js";

/** Whom a server in Shiliuai's place knows; every way that is set is accepted. */
export interface ShiliuaiAccount {
  readonly appCode: string | null;
  readonly keys: { readonly appKey: string; readonly appSecret: string } | null;
}

/** Our assumption: the vendor does not say how old a signature may be. */
const MAX_SKEW_MS = 15 * 60 * 1000;
/** Unix time in seconds has ten digits until 2286. */
const SECONDS_DIGITS = 10;

/** The vendor has these five; 429 is a stand-in, since it documents no throttling. */
const WORDS: Readonly<Record<number, readonly [english: string, chinese: string]>> = {
  400: ["Bad Request", "错误请求"],
  401: ["Unauthorized", "未经授权"],
  403: ["Forbidden", "禁止访问"],
  429: ["Too Many Requests", "请求过于频繁"],
  500: ["Internal Server Error", "内部错误"],
};

const failure = (status: number, message: string): WireFailure => ({ status, code: String(status), message });

/** Shiliuai's bank card API as its server speaks it. */
export function createShiliuaiServer(account: ShiliuaiAccount): VendorServer {
  return {
    provider: "shiliuai",
    isCall: (method, path) => method === "POST" && path === SHILIUAI_PATH,
    authenticate: (request, nowMs) => authenticateShiliuai(request, account, nowMs),
    parseCall: parseShiliuaiCall,
    checkPicture: checkShiliuaiPicture,
    renderAnswer: (cards, _call, requestId) => renderShiliuaiAnswer(cards, requestId),
    renderFailure: renderShiliuaiFailure,
    throttled: (callsPerSecond) => failure(429, `Too Many Requests: at most ${callsPerSecond} a second`),
    failureOfStatus: (status, code) => ({
      status,
      code: code ?? String(status),
      message: WORDS[status]?.[0] ?? "Error",
    }),
  };
}

/** The vendor's answer to `{path}/credit`: what one call costs. */
export function renderShiliuaiCredit(requestId: string): WireReply {
  return renderJson(200, {}, { ...envelope(200, "OK", "成功", true, requestId), data: { credit: 1 } });
}

export function authenticateShiliuai(request: WireRequest, account: ShiliuaiAccount, nowMs: number): Checked<AuthMode> {
  const unauthorized = refuse(failure(401, "Unauthorized"));
  const { authorization, "x-ca-key": key, "x-ca-timestamp": timestamp, "x-ca-signature": signature } = request.headers;
  if (authorization !== undefined) {
    const known = account.appCode !== null && isSameSecret(authorization, `APPCODE ${account.appCode}`);
    return known ? pass("appcode") : unauthorized;
  }
  if (typeof key !== "string" || typeof timestamp !== "string" || typeof signature !== "string") return unauthorized;
  const { keys } = account;
  if (keys === null || key !== keys.appKey || !/^\d{1,16}$/.test(timestamp)) return unauthorized;
  // The vendor's table says milliseconds; its PHP sample sends seconds.
  const sentAtMs = Number(timestamp) * (timestamp.length <= SECONDS_DIGITS ? 1000 : 1);
  if (Math.abs(nowMs - sentAtMs) > MAX_SKEW_MS) return refuse(failure(401, "Unauthorized: timestamp"));
  const expected = shiliuaiSignature(key, timestamp, keys.appSecret);
  return isSameSecret(signature.toLowerCase(), expected) ? pass("signature") : unauthorized;
}

function parseShiliuaiCall(body: Buffer): Checked<WireCall> {
  const parsed = decodeImageBody(body, "image_base64");
  if (parsed === null) return refuse(failure(400, "Bad Request: not JSON"));
  if (parsed.base64 === null) {
    const message =
      parsed.fields.image_url === undefined ? "image_base64 or image_url is required" : "image_url failed";
    return refuse(failure(400, `Bad Request: ${message}`));
  }
  if (parsed.base64.length > SHILIUAI_BOUNDS.maxBase64Bytes)
    return refuse(failure(400, "Bad Request: image too large"));
  const image = decodeBase64(parsed.base64);
  if (image === null) return refuse(failure(400, "Bad Request: image_base64 is not base64"));
  return pass({ image, base64Bytes: parsed.base64.length, textLocation: true });
}

/** The vendor lists no formats: whatever can be recognised is taken. */
function checkShiliuaiPicture(_call: WireCall, header: PictureHeader | null): WireFailure | null {
  if (header === null) return failure(400, "Bad Request: image cannot be decoded");
  const { minSide, maxSide } = SHILIUAI_BOUNDS;
  const fits = Math.min(header.width, header.height) >= minSide && Math.max(header.width, header.height) <= maxSide;
  return fits ? null : failure(400, `Bad Request: sides must be ${minSide} to ${maxSide} pixels`);
}

/** Where the vendor's word for a type of card is another than Huawei's. */
const TYPE_NAMES: Readonly<Record<string, string>> = { 信用卡: "贷记卡" };

/** Every card in `content`; none leaves `data` empty. Dates have no place in the vendor's format. */
function renderShiliuaiAnswer(cards: readonly WireCard[], requestId: string): WireReply {
  const content = cards.map(({ number, bank, type }) => ({
    number: number?.text ?? "",
    prob: number?.confidence ?? 0,
    name: bank?.text ?? "",
    type: TYPE_NAMES[type?.text ?? ""] ?? type?.text ?? "",
    keypoints: number?.keypoints ?? [],
  }));
  const data = content.length === 0 ? {} : { content };
  return renderJson(200, {}, { ...envelope(200, "OK", "成功", true, requestId), data });
}

function renderShiliuaiFailure({ status, code, message, headers = {} }: WireFailure, requestId: string): WireReply {
  const body = envelope(Number(code), message, WORDS[status]?.[1] ?? "错误", false, requestId);
  return renderJson(status, headers, { ...body, data: {} });
}

function envelope(code: number, msg: string, msgCn: string, success: boolean, requestId: string): object {
  return { code, msg, msg_cn: msgCn, success, request_id: requestId };
}
