import { z } from "zod";
import { type ErrorCode, type ErrorDetails, ProviderError } from "../../domain/errors.js";
import type { HuaweiAuth } from "../../domain/vendor-auth.js";
import type { HttpReply } from "../http-exchange.js";
import { isSuccess, pickRequestId } from "../reply.js";
import { parseDate, parseRetryAfter } from "../retry-after.js";
import { meaningOfHuawei } from "./error-table.js";
import { CREDENTIAL_SETTINGS } from "./options.js";

export interface FailureContext {
  readonly auth: HuaweiAuth["kind"];
  readonly nowMs: number;
}

/** The gateway refuses signatures further off than this. */
const MAX_SKEW_MS = 15 * 60 * 1000;
/** The vendor's advice at 429 is to wait 2 to 5 seconds. */
const LONGEST_THROTTLE_WAIT_MS = 5000;

const failureSchema = z.object({
  error_code: z
    .string()
    .regex(/^[A-Za-z]{1,20}\.\d{1,6}$/)
    .nullable()
    .catch(null),
  // Read for what the code alone does not tell; never passed on.
  error_msg: z.string().max(10_000).catch(""),
  request_id: z.string().nullable().catch(null),
});
type Failure = z.infer<typeof failureSchema>;

const NOTHING_SAID: Failure = { error_code: null, error_msg: "", request_id: null };

/** The error for a reply that is no answer. @param json its body, if that was JSON */
export function huaweiFailure(reply: HttpReply, json: unknown, context: FailureContext): ProviderError {
  const parsed = failureSchema.safeParse(json);
  const failure = parsed.success ? parsed.data : NOTHING_SAID;
  const meaning = meaningOfHuawei(failure.error_code, reply.status);
  const code = meaning.code === "provider-token" ? whoIsRefused(reply, failure, context) : meaning.code;
  const limit = code === "provider-throttled" ? parseLimit(failure.error_msg) : null;
  const requestId = pickRequestId(reply.headers["x-request-id"], failure.request_id);
  const retryAfterMs = parseRetryAfter(reply.headers, context.nowMs) ?? limit?.waitMs;
  const what = failure.error_code === null ? `HTTP ${reply.status}` : `${failure.error_code} (HTTP ${reply.status})`;
  return new ProviderError(code, `huawei answered ${what}${advice(code, context.auth)}`, {
    httpStatus: reply.status,
    billable: isSuccess(reply),
    ...(failure.error_code === null ? {} : { vendorCode: failure.error_code }),
    ...(requestId === null ? {} : { requestId }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(meaning.maxAttempts === undefined ? {} : { maxAttempts: meaning.maxAttempts }),
    ...(limit === null ? {} : { details: limit.details }),
  });
}

/** One code stands for an expired token, wrong keys and a wrong clock; only a token made from a password is renewed. */
function whoIsRefused(reply: HttpReply, failure: Failure, { auth, nowMs }: FailureContext): ErrorCode {
  if (auth === "iam") return "provider-token";
  if (auth === "token") return "provider-credentials";
  const vendorMs = parseDate(reply.headers);
  const skewed = vendorMs !== null && Math.abs(vendorMs - nowMs) > MAX_SKEW_MS;
  return skewed || /signature expired/i.test(failure.error_msg) ? "provider-clock" : "provider-credentials";
}

/** APIG.0308 says `limit:XX,time:1 minute` (or second). After that time the count is new at the latest. */
function parseLimit(text: string): { waitMs: number; details: ErrorDetails } | null {
  const match = /limit:\s*(\d{1,9})\s*,\s*time:\s*(\d{1,4})\s*(second|minute|hour|day)/i.exec(text);
  if (match === null) return null;
  const [, calls, count, unit = "second"] = match;
  const units: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  const periodMs = Number(count) * (units[unit.toLowerCase()] ?? 1000);
  const waitMs = Math.min(periodMs, LONGEST_THROTTLE_WAIT_MS);
  return { waitMs, details: { limitCalls: Number(calls), limitPeriodMs: periodMs } };
}

function advice(code: ErrorCode, auth: HuaweiAuth["kind"]): string {
  switch (code) {
    case "provider-token":
      return "; it does not accept the token that CARDBATCH_HUAWEI_IAM_ENDPOINT gave for CARDBATCH_HUAWEI_PROJECT_ID";
    case "provider-credentials":
      return `; it does not accept ${CREDENTIAL_SETTINGS[auth]}`;
    case "provider-config":
    case "provider-subscription":
      return "; it does not offer this to CARDBATCH_HUAWEI_PROJECT_ID at CARDBATCH_HUAWEI_ENDPOINT";
    case "provider-permission":
      return `; it does not permit this to the owner of ${CREDENTIAL_SETTINGS[auth]}`;
    default:
      return "";
  }
}
