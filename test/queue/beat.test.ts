import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beat } from "../../src/queue/beat.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("one time waits while Redis is away, and it goes on when that ends", async () => {
  let begun = 0;
  let end = () => {};
  const stop = beat(
    1000,
    () => {
      begun++;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    },
    () => {},
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect(begun).toBe(1);
  end();
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun).toBe(2);
  stop();
});

test("one that fails is told, and the next one comes", async () => {
  const faults: unknown[] = [];
  const stop = beat(
    1000,
    () => Promise.reject(new Error("gone")),
    (error) => faults.push(error),
  );
  await vi.advanceTimersByTimeAsync(2000);
  stop();
  await vi.advanceTimersByTimeAsync(2000);
  expect(faults).toHaveLength(2);
});
