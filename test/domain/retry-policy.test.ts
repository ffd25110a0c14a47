import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CardbatchError, ERROR_CATALOGUE, ERROR_CODES, ProviderError } from "../../src/domain/errors.js";
import {
  type AttemptState,
  chargeAttempt,
  FIRST_ATTEMPT,
  faultKey,
  nextStep,
  noteFault,
  RETRY_POLICY,
  refundOutage,
} from "../../src/domain/retry-policy.js";

const half = () => 0.5;
const none = () => 0;
const state = (attempts: number, met: Record<string, number> = {}): AttemptState => ({ attempts, calls: 0, met });

describe("what becomes of a request", () => {
  test.each([
    ["image-corrupt", { kind: "fail" }],
    ["provider-refused-image", { kind: "fail" }],
    ["payload-invalid", { kind: "fail" }],
    ["image-in-work", { kind: "again", delayMs: 300, costsAttempt: false }],
    ["budget-spent", { kind: "again", delayMs: 37_500, costsAttempt: false }],
    ["outside-window", { kind: "again", delayMs: 37_500, costsAttempt: false }],
    ["destination-full", { kind: "again", delayMs: 750, costsAttempt: false }],
    ["cancelled", { kind: "again", delayMs: 750, costsAttempt: false }],
    ["provider-token", { kind: "again", delayMs: 750, costsAttempt: false }],
    ["provider-quota", { kind: "again", delayMs: 5000, costsAttempt: false }],
    ["provider-credentials", { kind: "again", delayMs: 5000, costsAttempt: false }],
    ["provider-unavailable", { kind: "again", delayMs: 200, costsAttempt: true }],
    ["internal", { kind: "again", delayMs: 200, costsAttempt: true }],
  ] as const)("%s", (code, expected) => {
    expect(nextStep(new CardbatchError(code, "x"), FIRST_ATTEMPT, half)).toMatchObject(expected);
  });

  test.each([
    [1, 400],
    [2, 800],
    [7, 25_600],
    [8, 30_000],
    [11, 30_000],
  ])("the backoff after attempt %i is drawn from up to %i ms", (attempts, boundMs) => {
    const error = new ProviderError("provider-unavailable", "x");
    expect(nextStep(error, state(attempts), () => 1 - Number.EPSILON)).toMatchObject({ delayMs: boundMs });
    expect(nextStep(error, state(attempts), none)).toMatchObject({ delayMs: 0 });
  });

  test.each([
    ["the twelfth attempt is the last", new ProviderError("provider-unavailable", "x"), state(12), "fail"],
    ["the eleventh is not", new ProviderError("provider-unavailable", "x"), state(11), "again"],
    ["a call that timed out is made again twice", timeout(), state(3, { "provider-timeout": 2 }), "again"],
    ["and not a third time", timeout(), state(4, { "provider-timeout": 3 }), "fail"],
    ["timeouts do not count against other faults", unavailable(), state(5, { "provider-timeout": 3 }), "again"],
    ["a fault's own limit", unreadable(3), state(3, { "AIS.0000": 3 }), "fail"],
    ["is its own, met with another vendor code", unreadable(3), state(3, { "AIS.0001": 3 }), "again"],
    ["a deferral never comes to an end", new ProviderError("provider-throttled", "x"), state(500), "again"],
  ] as const)("%s", (_, error, after, kind) => {
    expect(nextStep(error, after, half).kind).toBe(kind);
  });

  test.each([
    ["provider-throttled", 0, 250],
    ["provider-throttled", 20_000, 20_250],
    ["provider-throttled", 86_400_000, 900_250],
    ["provider-unavailable", 20_000, 20_000],
    ["provider-unavailable", 10, 200],
    ["provider-unavailable", 86_400_000, 900_000],
  ] as const)("%s with Retry-After of %i ms waits %i ms", (code, retryAfterMs, delayMs) => {
    expect(nextStep(new ProviderError(code, "x", { retryAfterMs }), FIRST_ATTEMPT, half)).toMatchObject({ delayMs });
  });
});

describe("an outage", () => {
  /** A request that meets a fault so often, in runs of failures as named; those that were known to be outages by then, too. */
  function meet(
    streaks: readonly string[],
    known: readonly string[] = [],
    error = unavailable(),
  ): AttemptState | "failed" {
    let now = FIRST_ATTEMPT;
    for (const streak of streaks) {
      now = noteFault(now, error);
      const step = nextStep(error, now, half, known.includes(streak));
      if (step.kind === "fail") return "failed";
      now = chargeAttempt(now, step, streak);
    }
    return now;
  }

  test("costs no attempt once it is known", () => {
    expect(meet(Array(50).fill("a"), ["a"])).toMatchObject({ attempts: 1, spared: 50 });
  });

  test("gives the attempts back that were charged before it was known", () => {
    const after = meet(["a", "b", "b", "b"]);
    expect(after).toMatchObject({ attempts: 5, charged: { streak: "b", attempts: 3 } });
    const refunded = refundOutage(after as AttemptState, (streak) => streak === "b");
    expect(refunded).toMatchObject({ attempts: 2, spared: 3 });
    expect(refundOutage(refunded, () => true)).toEqual(refunded);
    expect(refundOutage(after as AttemptState, (streak) => streak === "a")).toEqual(after);
  });

  test("is no excuse for ever", () => {
    const { mostSpared, maxAttempts } = RETRY_POLICY;
    expect(meet(Array(mostSpared + maxAttempts - 1).fill("a"), ["a"])).toMatchObject({ attempts: maxAttempts });
    expect(meet(Array(mostSpared + maxAttempts).fill("a"), ["a"])).toBe("failed");
  });

  test("does not make calls harmless that may have been billed", () => {
    expect(meet(Array(3).fill("a"), ["a"], timeout())).toBe("failed");
  });
});

test("whatever is met, however often: a decision within its bounds", () => {
  const errors = fc
    .record(
      {
        code: fc.constantFrom(...ERROR_CODES),
        retryAfterMs: fc.nat(1e12),
        vendorCode: fc.string(),
        maxAttempts: fc.integer({ min: 1, max: 20 }),
      },
      { requiredKeys: ["code"] },
    )
    .map(({ code, ...options }) => new ProviderError(code, "x", options));
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(errors, fc.nat(2000), fc.nat(20), random, (error, attempts, met, drawn) => {
      const after = state(attempts + 1, { [faultKey(error)]: met });
      const step = nextStep(error, after, () => drawn);
      const { disposition } = ERROR_CATALOGUE[error.code];
      if (step.kind === "fail") {
        expect(["fail", "retry"]).toContain(disposition);
        return;
      }
      expect(step.delayMs).toBeGreaterThanOrEqual(0);
      expect(step.delayMs).toBeLessThanOrEqual(RETRY_POLICY.longestRetryAfterMs + RETRY_POLICY.deferMs);
      expect(Number.isSafeInteger(step.delayMs)).toBe(true);
      expect(step.costsAttempt).toBe(disposition === "retry");
      if (step.costsAttempt) expect(after.attempts).toBeLessThan(RETRY_POLICY.maxAttempts);
    }),
  );
});

function timeout() {
  return new ProviderError("provider-timeout", "x");
}

function unavailable() {
  return new ProviderError("provider-unavailable", "x");
}

function unreadable(maxAttempts: number) {
  return new ProviderError("provider-response", "x", { vendorCode: "AIS.0000", maxAttempts });
}
