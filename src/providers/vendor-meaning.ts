import type { ErrorCode } from "../domain/errors.js";

/** What a vendor's code or status means here. */
export interface VendorMeaning {
  readonly code: ErrorCode;
  /** Fewer than the default, where the vendor's words promise little of another attempt. */
  readonly maxAttempts?: number;
}

/** How often a call is tried that the vendor charges for and that brings nothing usable. */
export const ATTEMPTS_AT_UNREADABLE = 6;

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "provider-token",
  402: "provider-arrears",
  403: "provider-permission",
  404: "provider-config",
  405: "provider-config",
  407: "provider-config",
  408: "provider-unavailable",
  413: "provider-refused-image",
  429: "provider-throttled",
};

/**
 * What an HTTP status means where the vendor's own code says nothing. 401 is `provider-token`: whether anything can be
 * renewed is for the provider to say. A redirect is not followed: the endpoint is not the API's. A success that says
 * something unknown went wrong is charged, and tried only a few times more.
 */
export function meaningOfStatus(status: number): VendorMeaning {
  const listed = BY_STATUS[status];
  if (listed !== undefined) return { code: listed };
  if (status >= 500) return { code: "provider-unavailable" };
  if (status < 300) return { code: "provider-response", maxAttempts: ATTEMPTS_AT_UNREADABLE };
  return { code: status < 400 ? "provider-config" : "provider-refused" };
}
