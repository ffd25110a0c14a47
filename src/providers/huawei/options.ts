import { ConfigError } from "../../domain/errors.js";
import type { HuaweiAuth } from "../../domain/vendor-auth.js";
import { type Endpoint, parseEndpoint } from "../endpoint.js";
import { assertHeaderValue } from "../settings-check.js";

export interface HuaweiOptions {
  /** `https://host`; without a scheme it means https. */
  readonly endpoint: string;
  readonly projectId: string;
  /** Whom the bill goes to. @default the vendor's "default" */
  readonly enterpriseProjectId?: string | undefined;
  readonly auth: HuaweiAuth;
  /** Until a call is given up. @unit milliseconds @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** @unit bytes @default 1048576 */
  readonly maxResponseBytes?: number | undefined;
  /** Ask where on the card each field was read. @default true */
  readonly textLocation?: boolean | undefined;
  /** Hosts besides loopback that may be plain http. @default none */
  readonly allowHttpHosts?: readonly string[] | undefined;
}

export type ResolvedIam = Extract<HuaweiAuth, { kind: "iam" }> & { readonly endpoint: Endpoint };
export type ResolvedAuth = Exclude<HuaweiAuth, { kind: "iam" }> | ResolvedIam;

export interface ResolvedHuaweiOptions {
  readonly endpoint: Endpoint;
  readonly projectId: string;
  readonly enterpriseProjectId: string | null;
  readonly auth: ResolvedAuth;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly textLocation: boolean;
}

/** @throws ConfigError naming the setting that makes no sense */
export function resolveHuaweiOptions(options: HuaweiOptions): ResolvedHuaweiOptions {
  const allowHttpHosts = options.allowHttpHosts ?? [];
  if (!/^[\w-]{1,64}$/.test(options.projectId)) {
    throw new ConfigError("CARDBATCH_HUAWEI_PROJECT_ID: not a project id; it is 32 hex digits");
  }
  const enterpriseProjectId = options.enterpriseProjectId ?? null;
  if (enterpriseProjectId !== null) assertHeaderValue(enterpriseProjectId, "CARDBATCH_HUAWEI_ENTERPRISE_PROJECT_ID");
  return {
    endpoint: parseEndpoint(options.endpoint, "CARDBATCH_HUAWEI_ENDPOINT", allowHttpHosts),
    projectId: options.projectId,
    enterpriseProjectId,
    auth: resolveAuth(options.auth, allowHttpHosts),
    timeoutMs: options.timeoutMs ?? 30_000,
    maxResponseBytes: options.maxResponseBytes ?? 1024 * 1024,
    textLocation: options.textLocation ?? true,
  };
}

function resolveAuth(auth: HuaweiAuth, allowHttpHosts: readonly string[]): ResolvedAuth {
  switch (auth.kind) {
    case "token":
      assertHeaderValue(auth.token, "CARDBATCH_HUAWEI_TOKEN");
      return auth;
    case "aksk":
      assertHeaderValue(auth.accessKey, "CARDBATCH_HUAWEI_ACCESS_KEY");
      assertHeaderValue(auth.secretKey, "CARDBATCH_HUAWEI_SECRET_KEY");
      if (auth.securityToken !== undefined) assertHeaderValue(auth.securityToken, "CARDBATCH_HUAWEI_SECURITY_TOKEN");
      return auth;
    case "iam":
      return { ...auth, endpoint: parseEndpoint(auth.iamEndpoint, "CARDBATCH_HUAWEI_IAM_ENDPOINT", allowHttpHosts) };
  }
}

/** What to correct when the vendor refuses who we are. */
export const CREDENTIAL_SETTINGS: Readonly<Record<HuaweiAuth["kind"], string>> = {
  token: "CARDBATCH_HUAWEI_TOKEN (tokens live 24 hours)",
  aksk: "CARDBATCH_HUAWEI_ACCESS_KEY and CARDBATCH_HUAWEI_SECRET_KEY",
  iam: "CARDBATCH_HUAWEI_IAM_DOMAIN, CARDBATCH_HUAWEI_IAM_USER and CARDBATCH_HUAWEI_IAM_PASSWORD",
};
