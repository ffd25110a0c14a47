import type { VendorServer, WireReply } from "../../providers/vendor-server.js";
import { htmlReply, retryAfterHeader } from "./deliver.js";
import type { FaultAction } from "./faults.js";

export interface ReplyDeps {
  readonly now: () => number;
  readonly nextRequestId: () => string;
}

/** What goes out in place of an answer, where the fault is such a one; null: the answer, in whatever way. */
export function replyInstead(vendor: VendorServer, fault: FaultAction, deps: ReplyDeps): WireReply | null {
  switch (fault.kind) {
    case "status":
      return statusReply(vendor, fault, deps);
    case "html":
      return htmlReply(200);
    case "empty":
    case "huge":
      return { status: 200, headers: { "content-type": "application/json" }, body: "" };
    case "error-body": {
      const failure = vendor.failureOfStatus(fault.status, fault.code);
      return { ...vendor.renderFailure(failure, deps.nextRequestId()), status: 200 };
    }
    default:
      return null;
  }
}

function statusReply(
  vendor: VendorServer,
  fault: Extract<FaultAction, { kind: "status" }>,
  deps: ReplyDeps,
): WireReply {
  const header = retryAfterHeader(fault, deps.now());
  const reply =
    fault.body === "html"
      ? htmlReply(fault.status)
      : fault.body === "empty"
        ? { status: fault.status, headers: {}, body: "" }
        : vendor.renderFailure(vendor.failureOfStatus(fault.status, fault.code), deps.nextRequestId());
  return { ...reply, headers: { ...reply.headers, ...header } };
}
