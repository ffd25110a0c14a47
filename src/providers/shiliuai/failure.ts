import { type ErrorCode, ProviderError } from "../../domain/errors.js";
import type { ShiliuaiAuth } from "../../domain/vendor-auth.js";
import type { HttpReply } from "../http-exchange.js";
import { isSuccess, pickRequestId } from "../reply.js";
import { parseDate, parseRetryAfter } from "../retry-after.js";
import type { VendorMeaning } from "../vendor-meaning.js";
import { meaningOfShiliuai, SUCCESS_CODES } from "./error-table.js";
import { CREDENTIAL_SETTINGS } from "./options.js";
import type { ShiliuaiBody } from "./reply-body.js";

export interface FailureContext {
  readonly auth: ShiliuaiAuth["kind"];
  readonly nowMs: number;
}

/** The vendor does not say how far off a signature may be; further than this, the clock is the likelier cause. */
const MAX_SKEW_MS = 5 * 60 * 1000;

/** The error for a reply that is no answer. @param body null where it had none of the vendor's */
export function shiliuaiFailure(reply: HttpReply, body: ShiliuaiBody | null, context: FailureContext): ProviderError {
  const vendorCode = body?.code ?? null;
  const meaning: VendorMeaning = isDeniedSuccess(reply, body)
    ? { code: "provider-refused-image" }
    : meaningOfShiliuai(vendorCode, reply.status);
  const code = whoIsRefused(meaning.code, reply, context);
  const retryAfterMs = parseRetryAfter(reply.headers, context.nowMs);
  const requestId = requestIdOf(reply, body);
  const what = vendorCode === null ? `HTTP ${reply.status}` : `code ${vendorCode} (HTTP ${reply.status})`;
  return new ProviderError(code, `shiliuai answered ${what}${advice(code, context.auth)}`, {
    httpStatus: reply.status,
    billable: isSuccess(reply),
    ...(vendorCode === null ? {} : { vendorCode: String(vendorCode) }),
    ...(requestId === null ? {} : { requestId }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(meaning.maxAttempts === undefined ? {} : { maxAttempts: meaning.maxAttempts }),
  });
}

export function requestIdOf(reply: HttpReply, body: ShiliuaiBody | null): string | null {
  return pickRequestId(body?.requestId, reply.headers["x-ca-request-id"], reply.headers["x-request-id"]);
}

/** A success code with `success: false`: the call went well and the recognition did not. */
function isDeniedSuccess(reply: HttpReply, body: ShiliuaiBody | null): boolean {
  return isSuccess(reply) && body?.success === false && (body.code === null || SUCCESS_CODES.has(body.code));
}

function whoIsRefused(code: ErrorCode, reply: HttpReply, { auth, nowMs }: FailureContext): ErrorCode {
  // Nothing here can be renewed.
  if (code !== "provider-token") return code;
  const vendorMs = parseDate(reply.headers);
  const skewed = vendorMs !== null && Math.abs(vendorMs - nowMs) > MAX_SKEW_MS;
  return auth === "signature" && skewed ? "provider-clock" : "provider-credentials";
}

function advice(code: ErrorCode, auth: ShiliuaiAuth["kind"]): string {
  switch (code) {
    case "provider-credentials":
      return `; it does not accept ${CREDENTIAL_SETTINGS[auth]}`;
    case "provider-config":
      return "; it does not know the address in CARDBATCH_SHILIUAI_ENDPOINT";
    case "provider-permission":
      return `; the owner of ${CREDENTIAL_SETTINGS[auth]} may not use this, or has no credit left`;
    case "provider-quota":
    case "provider-arrears":
      return `; the owner of ${CREDENTIAL_SETTINGS[auth]} has no credit left`;
    default:
      return "";
  }
}
