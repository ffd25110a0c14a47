import { expect, test } from "vitest";
import { GIVEN_UP_MS, nextTry } from "../../src/webhooks/next-try.js";
import type { PostResult } from "../../src/webhooks/post.js";

const FAILED: PostResult = { kind: "failed", reason: "no answer in time" };

test("what was taken is done", () => {
  expect(nextTry({ kind: "taken" }, 3, 1000, () => 0.5)).toEqual({ kind: "done" });
});

test.each<[string, PostResult]>([
  ["forbidden", { kind: "forbidden", reason: "not public" }],
  ["gone", { kind: "refused", status: 410, retryAfterMs: null }],
])("an address that is %s is given up at once", (_name, result) => {
  expect(nextTry(result, 0, 0, () => 0.5)).toMatchObject({ kind: "park" });
});

test.each([
  ["always at once", () => 0],
  ["always late", () => 1],
])("it is tried again after 5 s, ever later, and given up within a day: %s", (_name, random) => {
  const waits: number[] = [];
  let ageMs = 0;
  for (let attempts = 0; ; attempts++) {
    const next = nextTry(FAILED, attempts, ageMs, random);
    if (next.kind !== "later") break;
    waits.push(next.delayMs);
    ageMs += next.delayMs;
  }
  expect(waits[0]).toBeLessThanOrEqual(6000);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(waits.length).toBeGreaterThanOrEqual(8);
  expect(ageMs).toBeLessThanOrEqual(GIVEN_UP_MS);
  expect(ageMs).toBeGreaterThan(GIVEN_UP_MS / 2);
});

test("a receiver is given the time it asks for, an hour at most", () => {
  const wait = (retryAfterMs: number) => nextTry({ kind: "refused", status: 429, retryAfterMs }, 0, 0, () => 0.5);
  expect(wait(60_000)).toMatchObject({ delayMs: 60_000 });
  expect(wait(10 * GIVEN_UP_MS)).toMatchObject({ delayMs: 3_600_000 });
});
