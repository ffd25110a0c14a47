import { createHash } from "node:crypto";

/**
 * Shiliuai's signature: MD5 in hex of key, time and secret, joined by `&`. It covers neither path nor body.
 * The vendor's page prints `app_key×tamp&app_secret` (a damaged `&timestamp`); all its samples join with `&`.
 * @param timestampMs milliseconds since 1970, as the vendor's table says; one of its samples uses seconds
 */
export function shiliuaiSignature(appKey: string, timestampMs: number | string, appSecret: string): string {
  return createHash("md5").update(`${appKey}&${timestampMs}&${appSecret}`, "utf8").digest("hex");
}
