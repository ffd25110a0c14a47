import type { CardbatchEvent } from "../../src/domain/events.js";

type Called = Extract<CardbatchEvent, { type: "called" }>;

/** What is told of a call: a good one, but for what is given. */
export function called(its: Partial<Called> = {}): Called {
  return {
    type: "called",
    provider: "huawei",
    result: "ok",
    durationMs: 100,
    billable: true,
    uncertain: false,
    httpStatus: 200,
    vendorCode: null,
    requestId: null,
    ...its,
  };
}
