import { createHash, createHmac } from "node:crypto";

/**
 * Huawei Cloud's SDK-HMAC-SHA256, step by step and in its own words
 * (https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html). Everything here is pure.
 */
export const ALGORITHM = "SDK-HMAC-SHA256";
export const DATE_HEADER = "x-sdk-date";

export interface SignableRequest {
  readonly method: string;
  /** As it goes on the wire, percent-encoded, without its query. */
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Every header that is to be signed, `host` and `x-sdk-date` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hex; of the empty string where there is no body. */
  readonly bodySha256: string;
}

export interface SigningKeys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The Authorization header of a request whose headers are complete. */
export function authorizationHeader(request: SignableRequest, keys: SigningKeys): string {
  const signature = sign(stringToSign(request), keys.secretKey);
  const names = signedHeaderNames(request.headers).join(";");
  return `${ALGORITHM} Access=${keys.accessKey}, SignedHeaders=${names}, Signature=${signature}`;
}

/** HMAC in one step: unlike AWS, no key is derived. */
export function sign(text: string, secretKey: string): string {
  return createHmac("sha256", secretKey).update(text).digest("hex");
}

function stringToSign(request: SignableRequest): string {
  return [ALGORITHM, request.headers[DATE_HEADER] ?? "", sha256(canonicalRequest(request))].join("\n");
}

export function canonicalRequest(request: SignableRequest): string {
  const names = signedHeaderNames(request.headers);
  return [
    request.method.toUpperCase(),
    canonicalUri(request.path),
    canonicalQuery(request.query),
    names.map((name) => `${name}:${(request.headers[name] ?? "").trim()}\n`).join(""),
    names.join(";"),
    request.bodySha256,
  ].join("\n");
}

/** Each segment encoded anew, and a slash at the end that the request itself need not have. */
export function canonicalUri(path: string): string {
  const encoded = path
    .split("/")
    .map((segment) => percentEncode(percentDecode(segment)))
    .join("/");
  return encoded.endsWith("/") ? encoded : `${encoded}/`;
}

/** Sorted by name, then by value. */
export function canonicalQuery(query: SignableRequest["query"]): string {
  return query
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** Huawei's own SDK leaves names with an underscore out: gateways drop such headers. Names here are lower case. */
function signedHeaderNames(headers: SignableRequest["headers"]): string[] {
  return Object.keys(headers)
    .filter((name) => !name.includes("_"))
    .sort(compare);
}

/** `YYYYMMDDTHHMMSSZ` */
export function formatSdkDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** Milliseconds since 1970, or null for anything but `YYYYMMDDTHHMMSSZ`. */
export function parseSdkDate(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? null : ms;
}

export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Unreserved characters alone stay; `encodeURIComponent` leaves five more as they are. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
