import type { ErrorCode } from "../../../src/domain/errors.js";
import { ERROR_CATALOGUE } from "../../../src/domain/errors.js";
import { AUTH_MODES, openSubject } from "../../contract/emulated-vendor.js";
import { type FailureRow, testProvider } from "../../contract/provider-contract.js";

const row = (status: number, vendorCode: string, code: ErrorCode, maxAttempts?: number): FailureRow => [
  { kind: "status", status, code: vendorCode },
  {
    code,
    disposition: ERROR_CATALOGUE[code].disposition,
    httpStatus: status,
    vendorCode,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  },
];

/** One of every kind in the vendor's tables, and those whose status would mislead. */
const FAILURES: readonly FailureRow[] = [
  row(400, "AIS.0101", "provider-refused"),
  row(400, "AIS.0102", "provider-refused-image"),
  row(400, "AIS.0103", "provider-refused-image"),
  row(400, "AIS.0104", "provider-refused-image"),
  row(500, "AIS.0105", "provider-unavailable", 2),
  row(403, "ModelArts.0212", "provider-config"),
  row(400, "ModelArts.4104", "provider-refused-image"),
  row(400, "ModelArts.4204", "provider-subscription"),
  row(400, "ModelArts.4401", "provider-throttled"),
  row(400, "ModelArts.4403", "provider-unavailable"),
  row(500, "ModelArts.4503", "provider-config"),
  row(400, "ModelArts.4603", "provider-unavailable", 2),
  row(404, "APIG.0101", "provider-config"),
  row(500, "APIGW.0103", "provider-unavailable"),
  row(404, "APIGW.0103", "provider-unavailable"),
  row(400, "APIG.0201", "provider-refused"),
  row(413, "APIG.0201", "provider-refused-image"),
  row(504, "APIG.0201", "provider-unavailable"),
  row(403, "APIG.0302", "provider-permission"),
  row(401, "APIG.0303", "provider-credentials"),
  row(429, "APIG.0308", "provider-throttled"),
  row(405, "APIG.0501", "provider-quota"),
  row(405, "APIG.0502", "provider-arrears"),
  row(500, "APIG.0601", "provider-unavailable", 4),
  row(503, "APIG.0613", "provider-unavailable"),
  row(418, "AIS.9999", "provider-refused"),
  [
    { kind: "error-body", status: 500, code: "ModelArts.4505" },
    {
      code: "provider-unavailable",
      disposition: "retry",
      httpStatus: 200,
      billable: true,
      vendorCode: "ModelArts.4505",
    },
  ],
  [
    { kind: "error-body", status: 500 },
    { code: "provider-response", disposition: "retry", httpStatus: 200, billable: true, maxAttempts: 6 },
  ],
];

for (const auth of AUTH_MODES) {
  if (auth.kind === "appcode" || auth.kind === "signature") continue;
  testProvider({ title: `huawei (${auth.kind})`, name: "huawei", open: () => openSubject(auth), failures: FAILURES });
}
