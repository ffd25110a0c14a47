import { meaningOfStatus, type VendorMeaning } from "../vendor-meaning.js";

const meaning = (code: VendorMeaning["code"], maxAttempts?: number): VendorMeaning =>
  maxAttempts === undefined ? { code } : { code, maxAttempts };

const REFUSED = meaning("provider-refused");
const REFUSED_IMAGE = meaning("provider-refused-image");
const TOKEN = meaning("provider-token");
const CREDENTIALS = meaning("provider-credentials");
const CONFIG = meaning("provider-config");
const PERMISSION = meaning("provider-permission");
const THROTTLED = meaning("provider-throttled");
const UNAVAILABLE = meaning("provider-unavailable");

/**
 * What Huawei's codes mean. Sources: OCR codes https://support.huaweicloud.com/api-ocr/ocr_03_0028.html, gateway codes
 * https://support.huaweicloud.com/usermanual-apig/apig_03_0048.html. Where the vendor does not say whether to try again,
 * it is our judgement. APIG.0201 stands for seven statuses and is left to the status.
 */
const ROWS: readonly (readonly [VendorMeaning, ...codes: string[]])[] = [
  // The OCR service.
  [REFUSED, "AIS.0101", "AIS.0117", "AIS.0118", "AIS.0119", "AIS.0120", "AIS.0121", "AIS.0122"],
  [REFUSED_IMAGE, "AIS.0102", "AIS.0103", "AIS.0104"],
  [meaning("provider-unavailable", 2), "AIS.0105"],
  // The platform it runs on.
  [TOKEN, "ModelArts.0203", "ModelArts.4101", "ModelArts.4102", "ModelArts.4103"],
  [CONFIG, "ModelArts.0212", "ModelArts.4503", "ModelArts.4504", "ModelArts.4506", "ModelArts.4508"],
  [REFUSED_IMAGE, "ModelArts.4104"],
  [REFUSED, "ModelArts.4105", "ModelArts.4201", "ModelArts.4202", "ModelArts.4203", "ModelArts.4601"],
  [REFUSED, "ModelArts.4702", "ModelArts.4703", "ModelArts.4705", "ModelArts.4706"],
  [meaning("provider-subscription"), "ModelArts.4204"],
  [UNAVAILABLE, "ModelArts.4301", "ModelArts.4302", "ModelArts.4402", "ModelArts.4403"],
  [UNAVAILABLE, "ModelArts.4502", "ModelArts.4505"],
  [meaning("provider-unavailable", 2), "ModelArts.4603", "ModelArts.4704"],
  [THROTTLED, "ModelArts.4401"],
  // The gateway before it.
  [CONFIG, "APIG.0101", "APIG.0204", "APIG.0205"],
  [UNAVAILABLE, "APIG.0103", "APIG.0104", "APIG.0105", "APIG.0107", "APIG.0202", "APIG.0203"],
  [REFUSED, "APIG.0106", "APIG.0602", "APIG.0607"],
  [TOKEN, "APIG.0301", "APIG.0307"],
  [CREDENTIALS, "APIG.0303", "APIG.0305", "APIG.0311", "APIG.0312", "APIG.0313"],
  [PERMISSION, "APIG.0302", "APIG.0304", "APIG.0306", "APIG.0310", "APIG.0802"],
  [PERMISSION, "APIG.0401", "APIG.0402", "APIG.0404", "APIG.0405"],
  [THROTTLED, "APIG.0308"],
  [meaning("provider-quota"), "APIG.0501"],
  [meaning("provider-arrears"), "APIG.0502"],
  [meaning("provider-unavailable", 4), "APIG.0601", "APIG.0605", "APIG.0606", "APIG.0608", "APIG.0609", "APIG.0611"],
  [meaning("provider-unavailable", 4), "APIG.0612", "APIG.0705"],
  [UNAVAILABLE, "APIG.0610", "APIG.0613"],
];

const BY_CODE: ReadonlyMap<string, VendorMeaning> = new Map(
  ROWS.flatMap(([row, ...codes]) => codes.map((code) => [code, row] as const)),
);

/** By code first, status second. `APIGW.` is the older spelling of `APIG.`. */
export function meaningOfHuawei(vendorCode: string | null, status: number): VendorMeaning {
  const listed = vendorCode === null ? undefined : BY_CODE.get(vendorCode.replace(/^APIGW\./, "APIG."));
  return listed ?? meaningOfStatus(status);
}
