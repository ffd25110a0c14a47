import type { ShiliuaiAuth } from "../../domain/vendor-auth.js";
import { shiliuaiSignature } from "./signature.js";

export const SHILIUAI_PATH = "/api/bank_card_ocr/v1";

/** Everything as strings: the vendor's own Python sample sends a number and fails. */
export function authHeaders(auth: ShiliuaiAuth, nowMs: number): Record<string, string> {
  const json = { "content-type": "application/json" };
  if (auth.kind === "appcode") return { ...json, authorization: `APPCODE ${auth.appCode}` };
  return {
    ...json,
    "x-ca-key": auth.appKey,
    "x-ca-timestamp": String(nowMs),
    "x-ca-signature": shiliuaiSignature(auth.appKey, nowMs, auth.appSecret),
  };
}
