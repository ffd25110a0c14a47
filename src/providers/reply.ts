import { ProviderError } from "../domain/errors.js";
import type { HttpReply } from "./http-exchange.js";
import { ATTEMPTS_AT_UNREADABLE } from "./vendor-meaning.js";

/** Where a vendor charges for anything, it is for these. */
export function isSuccess(reply: HttpReply): boolean {
  return reply.status >= 200 && reply.status < 300;
}

/** The body as JSON; undefined when it is cut short or anything else. Never throws. */
export function parseJson(reply: HttpReply): unknown {
  if (reply.cut !== null || reply.body.length === 0) return undefined;
  try {
    return JSON.parse(reply.body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** A request id that is safe to log: the first candidate that looks like one. */
export function pickRequestId(...candidates: readonly unknown[]): string | null {
  for (const candidate of candidates) {
    const text = Array.isArray(candidate) ? candidate[0] : candidate;
    // At least one letter or dash: nothing that could be a card number is taken for an id.
    if (typeof text === "string" && /^(?=.*[A-Za-z_-])[\w.:-]{1,128}$/.test(text)) return text;
  }
  return null;
}

/** The error for a success status whose body cannot be used: the vendor charges for it all the same. */
export function unreadableReply(peer: string, reply: HttpReply, requestId: string | null): ProviderError {
  const problem = reply.cut ?? (reply.body.length === 0 ? "empty" : "not-an-answer");
  const code = reply.cut === "timeout" ? "provider-timeout" : "provider-response";
  return new ProviderError(code, `${peer}: HTTP ${reply.status} with an unreadable body (${problem})`, {
    httpStatus: reply.status,
    billable: true,
    maxAttempts: ATTEMPTS_AT_UNREADABLE,
    ...(requestId === null ? {} : { requestId }),
    details: { problem, bytes: reply.body.length },
  });
}
