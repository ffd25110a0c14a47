import { meaningOfStatus, type VendorMeaning } from "../vendor-meaning.js";

/** `code` of an answer: one page of the vendor says 0, its sibling pages 200. */
export const SUCCESS_CODES: ReadonlySet<number> = new Set([0, 200]);

/**
 * The small codes of the vendor's older family (https://www.shiliuai.com/api/score-api), in case one turns up.
 * The codes of this service are those of HTTP and are left to that table; it documents no 429 and no quota.
 */
const OLDER: Readonly<Record<number, VendorMeaning>> = {
  1: { code: "provider-refused-image" },
  2: { code: "provider-unavailable", maxAttempts: 2 },
  3: { code: "provider-unavailable" },
  4: { code: "provider-refused" },
  5: { code: "provider-unavailable", maxAttempts: 3 },
  101: { code: "provider-credentials" },
  102: { code: "provider-credentials" },
  103: { code: "provider-quota" },
  104: { code: "provider-arrears" },
};

/** By code first, status second. @param vendorCode null where the body has none */
export function meaningOfShiliuai(vendorCode: number | null, status: number): VendorMeaning {
  if (vendorCode === null || SUCCESS_CODES.has(vendorCode)) return meaningOfStatus(status);
  return OLDER[vendorCode] ?? meaningOfStatus(vendorCode >= 400 && vendorCode < 600 ? vendorCode : status);
}
