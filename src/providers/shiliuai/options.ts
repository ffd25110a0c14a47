import type { ShiliuaiAuth } from "../../domain/vendor-auth.js";
import { type Endpoint, parseEndpoint } from "../endpoint.js";
import { assertHeaderValue } from "../settings-check.js";

export interface ShiliuaiOptions {
  /** `https://host`; without a scheme it means https. */
  readonly endpoint: string;
  readonly auth: ShiliuaiAuth;
  /** Until a call is given up. @unit milliseconds @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** @unit bytes @default 1048576 */
  readonly maxResponseBytes?: number | undefined;
  /** Hosts besides loopback that may be plain http. @default none */
  readonly allowHttpHosts?: readonly string[] | undefined;
}

export interface ResolvedShiliuaiOptions {
  readonly endpoint: Endpoint;
  readonly auth: ShiliuaiAuth;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
}

/** @throws ConfigError naming the setting that makes no sense */
export function resolveShiliuaiOptions(options: ShiliuaiOptions): ResolvedShiliuaiOptions {
  const { auth } = options;
  if (auth.kind === "appcode") assertHeaderValue(auth.appCode, "CARDBATCH_SHILIUAI_APP_CODE");
  else {
    assertHeaderValue(auth.appKey, "CARDBATCH_SHILIUAI_APP_KEY");
    assertHeaderValue(auth.appSecret, "CARDBATCH_SHILIUAI_APP_SECRET");
  }
  return {
    endpoint: parseEndpoint(options.endpoint, "CARDBATCH_SHILIUAI_ENDPOINT", options.allowHttpHosts ?? []),
    auth,
    timeoutMs: options.timeoutMs ?? 30_000,
    maxResponseBytes: options.maxResponseBytes ?? 1024 * 1024,
  };
}

/** What to correct when the vendor refuses who we are. */
export const CREDENTIAL_SETTINGS: Readonly<Record<ShiliuaiAuth["kind"], string>> = {
  appcode: "CARDBATCH_SHILIUAI_APP_CODE",
  signature: "CARDBATCH_SHILIUAI_APP_KEY and CARDBATCH_SHILIUAI_APP_SECRET",
};
