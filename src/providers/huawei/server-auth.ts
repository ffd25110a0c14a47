import { isSameSecret } from "../same-secret.js";
import { type AuthMode, type Checked, pass, refuse, type WireFailure, type WireRequest } from "../vendor-server.js";
import { ALGORITHM, authorizationHeader, DATE_HEADER, parseSdkDate, type SignableRequest, sha256 } from "./aksk.js";

/** Whom a server in Huawei's place knows; every way that is set is accepted. */
export interface HuaweiAccount {
  /** Null: any. */
  readonly projectId: string | null;
  readonly token: string | null;
  readonly keys: {
    readonly accessKey: string;
    readonly secretKey: string;
    readonly securityToken: string | null;
  } | null;
  /** What its IAM knows of a token; null: it has none. */
  readonly iamToken: ((token: string, nowMs: number) => "valid" | "expired" | "unscoped" | "unknown") | null;
}

const MAX_SKEW_MS = 15 * 60 * 1000;
const NO_TOKEN: WireFailure = { status: 401, code: "ModelArts.4101", message: "The token is missing." };
const UNSCOPED: WireFailure = { status: 403, code: "ModelArts.0212", message: "The token has no project." };
const incorrect = (what: string): Checked<never> =>
  refuse({ status: 401, code: "APIG.0301", message: `Incorrect IAM authentication information: ${what}` });

/** Checks a token, or an AK/SK signature, as the gateway does. */
export function authenticateHuawei(request: WireRequest, account: HuaweiAccount, nowMs: number): Checked<AuthMode> {
  const token = header(request, "x-auth-token");
  if (token !== null) return authenticateToken(token, account, nowMs);
  const authorization = header(request, "authorization");
  return authorization === null ? refuse(NO_TOKEN) : authenticateSignature(request, authorization, account, nowMs);
}

function authenticateToken(token: string, account: HuaweiAccount, nowMs: number): Checked<AuthMode> {
  if (account.token !== null && isSameSecret(token, account.token)) return pass("token");
  const known = account.iamToken?.(token, nowMs) ?? "unknown";
  if (known === "valid") return pass("iam");
  if (known === "unscoped") return refuse(UNSCOPED);
  return incorrect(known === "expired" ? "token expires" : "decrypt token fail");
}

function authenticateSignature(
  request: WireRequest,
  authorization: string,
  { keys }: HuaweiAccount,
  nowMs: number,
): Checked<AuthMode> {
  const match = /^(\S+) Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=[0-9a-f]{64}$/.exec(authorization);
  const [, algorithm, accessKey, names = ""] = match ?? [];
  if (match === null || algorithm !== ALGORITHM) return incorrect("authorization header format is incorrect");
  const signed = signedHeaders(request, names.split(";"));
  if (signed === null || keys === null || accessKey !== keys.accessKey) return incorrect("verify aksk signature fail");
  const dateMs = parseSdkDate(signed[DATE_HEADER] ?? "");
  if (dateMs === null) return incorrect("verify aksk signature fail, x-sdk-date is incorrect");
  if (Math.abs(nowMs - dateMs) > MAX_SKEW_MS) return incorrect("signature expired");
  if (keys.securityToken !== null && signed["x-security-token"] !== keys.securityToken) {
    return incorrect("x-security-token is incorrect");
  }
  // Both sides are written the same way, so that spaces and order in the header given make no difference.
  const expected = authorizationHeader(signableOf(request, signed), keys);
  const canonical = authorization.replace(/, ?/g, ", ");
  return isSameSecret(canonical, expected) ? pass("aksk") : incorrect("verify aksk signature fail");
}

/** The headers that the signature covers, or null when one is missing, `host` and `x-sdk-date` among them. */
function signedHeaders(request: WireRequest, names: readonly string[]): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = header(request, name);
    if (value === null) return null;
    headers[name] = value;
  }
  return "host" in headers && DATE_HEADER in headers ? headers : null;
}

function signableOf(request: WireRequest, headers: Record<string, string>): SignableRequest {
  const [path = "/", queryText = ""] = request.url.split("?", 2);
  const bodySha256 = sha256(request.body);
  return { method: request.method, path, query: [...new URLSearchParams(queryText)], headers, bodySha256 };
}

function header(request: WireRequest, name: string): string | null {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : (value ?? null);
}
