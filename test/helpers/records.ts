import type { Outcome } from "../../src/domain/reading.js";
import { type OutcomeRecord, RECORD_SCHEMA } from "../../src/domain/record.js";
import { imageKeyOf, requestOf } from "./image-keys.js";

/** An outcome as it stands on a result queue; the name makes its request and image. */
export function recordOf(
  batch: string,
  name: string | number,
  outcome: Outcome = "accepted",
  more: Partial<OutcomeRecord> = {},
): OutcomeRecord {
  return {
    schema: RECORD_SCHEMA,
    request: requestOf(batch, name),
    image: { key: imageKeyOf(name), source: `${name}.jpg`, page: 0 },
    batch,
    ref: null,
    outcome,
    reasons: [],
    cards: [],
    provider: null,
    calls: 1,
    attempts: 1,
    finishedAt: "2026-11-22T08:00:00.000Z",
    ...more,
  };
}
