import { ERROR_CATALOGUE, type ErrorCode } from "../../../src/domain/errors.js";
import { AUTH_MODES, openSubject } from "../../contract/emulated-vendor.js";
import { type FailureRow, testProvider } from "../../contract/provider-contract.js";

/** The same code as a status, and in the body of a 200, which is taken as charged. */
const rows = (code: number, expected: ErrorCode, maxAttempts?: number): FailureRow[] =>
  [code >= 400 ? code : 500, 200].map((status) => {
    const own = { code: expected, disposition: ERROR_CATALOGUE[expected].disposition, vendorCode: String(code) };
    const attempts = maxAttempts === undefined ? {} : { maxAttempts };
    return [
      status === 200 ? { kind: "error-body", code: String(code) } : { kind: "status", status, code: String(code) },
      { ...own, ...attempts, httpStatus: status, billable: status === 200 },
    ];
  });

const FAILURES: readonly FailureRow[] = [
  ...rows(400, "provider-refused"),
  ...rows(401, "provider-credentials"),
  ...rows(403, "provider-permission"),
  ...rows(429, "provider-throttled"),
  ...rows(500, "provider-unavailable"),
  ...rows(1, "provider-refused-image"),
  ...rows(2, "provider-unavailable", 2),
  ...rows(3, "provider-unavailable"),
  ...rows(101, "provider-credentials"),
  ...rows(103, "provider-quota"),
  ...rows(104, "provider-arrears"),
  [
    { kind: "error-body", code: "200" },
    { code: "provider-refused-image", disposition: "fail", httpStatus: 200, billable: true },
  ],
  [
    { kind: "error-body", code: "77777" },
    { code: "provider-response", disposition: "retry", httpStatus: 200, billable: true, maxAttempts: 6 },
  ],
];

for (const auth of AUTH_MODES) {
  if (auth.kind !== "appcode" && auth.kind !== "signature") continue;
  testProvider({
    title: `shiliuai (${auth.kind})`,
    name: "shiliuai",
    open: () => openSubject(auth),
    failures: FAILURES,
  });
}
