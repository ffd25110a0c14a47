import { CARD_FIELDS, type CardField } from "../../domain/answer.js";
import { decodeBase64, decodeImageBody } from "../image-body.js";
import {
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
} from "../vendor-server.js";
import { HUAWEI_BOUNDS } from "./bounds.js";
import { authenticateHuawei, type HuaweiAccount } from "./server-auth.js";

const PATH = /^\/v2\/([^/]+)\/ocr\/bankcard$/;
const WIRE_NAMES = {
  bank: "bank_name",
  number: "card_number",
  issueDate: "issue_date",
  expiryDate: "expiry_date",
  type: "type",
} as const satisfies Record<CardField, string>;

/** The gateway's usual code for a status that somebody wants to see. */
const USUAL_CODES: Readonly<Record<number, string>> = {
  401: "APIG.0301",
  403: "APIG.0302",
  404: "APIG.0101",
  429: "APIG.0308",
  502: "APIG.0202",
  503: "APIG.0613",
  504: "APIG.0203",
};

const badRequest = (code: string, message: string): WireFailure => ({ status: 400, code, message });

/** Huawei's bank card API as its server speaks it (https://support.huaweicloud.com/api-ocr/ocr_03_0104.html). */
export function createHuaweiServer(account: HuaweiAccount): VendorServer {
  return {
    provider: "huawei",
    isCall: (method, path) => method === "POST" && PATH.test(path),
    authenticate(request, nowMs) {
      const project = PATH.exec(request.url.split("?", 1)[0] ?? "")?.[1];
      if (account.projectId !== null && project !== account.projectId) {
        const message = "The API does not exist or has not been published in the environment.";
        return refuse({ status: 404, code: "APIG.0101", message });
      }
      return authenticateHuawei(request, account, nowMs);
    },
    parseCall: parseHuaweiCall,
    checkPicture: checkHuaweiPicture,
    renderAnswer: renderHuaweiAnswer,
    renderFailure: renderHuaweiFailure,
    throttled: (callsPerSecond) => ({
      status: 429,
      code: "APIG.0308",
      message: `The throttling threshold has been reached: policy user over ratelimit,limit:${callsPerSecond},time:1 second`,
    }),
    failureOfStatus: (status, code) => ({
      status,
      code: code ?? USUAL_CODES[status] ?? "APIG.0201",
      message: `The request was answered with ${status}.`,
    }),
  };
}

function parseHuaweiCall(body: Buffer): Checked<WireCall> {
  const parsed = decodeImageBody(body, "image");
  if (parsed === null) return refuse(badRequest("ModelArts.4105", "The request body is not valid JSON."));
  const { fields, base64 } = parsed;
  const { url, return_text_location: textLocation = false } = fields;
  if (typeof textLocation !== "boolean" || (base64 === null) === (url === undefined)) {
    return refuse(badRequest("AIS.0101", "The input parameter is incorrect: give exactly one of image and url."));
  }
  // Fetching what a caller names is left to the real service.
  if (base64 === null) return refuse(badRequest("ModelArts.4601", "The URL is not allowed."));
  if (base64.length > HUAWEI_BOUNDS.maxBase64Bytes) {
    return refuse(badRequest("ModelArts.4104", "The length of the request body is invalid."));
  }
  const image = decodeBase64(base64);
  if (image === null) return refuse(badRequest("AIS.0102", "The image format is not supported, or is not base64."));
  return pass({ image, base64Bytes: base64.length, textLocation });
}

function checkHuaweiPicture(_call: WireCall, header: PictureHeader | null): WireFailure | null {
  if (header === null || !HUAWEI_BOUNDS.formats.includes(header.format)) {
    return badRequest("AIS.0102", "The image format is not supported.");
  }
  const { minSide, maxSide } = HUAWEI_BOUNDS;
  const fits = Math.min(header.width, header.height) >= minSide && Math.max(header.width, header.height) <= maxSide;
  return fits ? null : badRequest("AIS.0103", "The image size does not meet the requirements.");
}

/** One card, its number in groups of four; what was not read is an empty string with the number 0 for its confidence. */
function renderHuaweiAnswer(cards: readonly WireCard[], call: WireCall, requestId: string): WireReply {
  const card = cards[0] ?? {};
  const texts: Record<string, string> = {};
  const confidence: Record<string, number> = {};
  const places: Record<string, number[][]> = {};
  for (const field of CARD_FIELDS) {
    const name = WIRE_NAMES[field];
    const read = card[field];
    texts[name] = field === "number" ? groupDigits(read?.text ?? "") : (read?.text ?? "");
    confidence[name] = read?.confidence ?? 0;
    if (read?.keypoints) places[name] = read.keypoints.map(({ x, y }) => [x, y]);
  }
  const result = { ...texts, confidence, ...(call.textLocation ? { text_location: places } : {}) };
  return renderJson(200, { "x-request-id": requestId }, { result });
}

/** The gateway names its request in the body too. */
function renderHuaweiFailure(failure: WireFailure, requestId: string): WireReply {
  const body = { error_code: failure.code, error_msg: failure.message };
  const named = failure.code.startsWith("APIG.") ? { ...body, request_id: requestId } : body;
  return renderJson(failure.status, { ...failure.headers, "x-request-id": requestId }, named);
}

function groupDigits(digits: string): string {
  return digits.replace(/\d{4}(?=\d)/g, "$& ");
}
