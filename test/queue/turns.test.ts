import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelledError } from "../../src/domain/errors.js";
import { createTurns } from "../../src/queue/turns.js";

const INTERVAL_MS = 100;
const AHEAD_MS = 250;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server that hands out a turn every 100 ms, up to 250 ms ahead; it answers after 3 ms, and fails as often as it is told to. */
function createServer(failures: boolean[] = []) {
  let nextMs = 0;
  let handedOut = 0;
  const ask = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    if (failures.shift() === true) throw new Error("out of memory");
    const turnMs = Math.max(Date.now(), nextMs);
    const waitMs = turnMs - Date.now();
    if (waitMs > AHEAD_MS) return { taken: false, waitMs: waitMs - AHEAD_MS };
    nextMs = turnMs + INTERVAL_MS;
    handedOut++;
    return { taken: true, waitMs };
  };
  return { ask, handedOut: () => handedOut };
}

test("whoever comes, and whoever gives up: turns in their order, at their rate, and none lost while somebody waits", async () => {
  const callers = fc.array(fc.record({ atMs: fc.nat(1500), givesUpAfterMs: fc.option(fc.nat(400), { nil: null }) }), {
    minLength: 1,
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(callers, fc.array(fc.boolean(), { maxLength: 5 }), async (all, failures) => {
      vi.setSystemTime(0);
      const failing = failures.filter(Boolean).length;
      const server = createServer([...failures]);
      const turns = createTurns(server.ask);
      const served: { caller: number; ms: number }[] = [];
      const refused: unknown[] = [];
      const inOrder = [...all].sort((a, b) => a.atMs - b.atMs);
      inOrder.forEach(({ atMs, givesUpAfterMs }, caller) => {
        const stop = new AbortController();
        if (givesUpAfterMs !== null) setTimeout(() => stop.abort(), atMs + givesUpAfterMs);
        setTimeout(() => {
          turns.take(stop.signal).then(
            () => served.push({ caller, ms: Date.now() }),
            (error) => refused.push(error),
          );
        }, atMs);
      });
      await vi.runAllTimersAsync();

      const cancelled = refused.filter((error) => error instanceof CancelledError).length;
      expect(served.length + refused.length).toBe(all.length);
      expect(refused.length - cancelled).toBeLessThanOrEqual(failing);
      expect(served.map(({ caller }) => caller)).toEqual(served.map(({ caller }) => caller).sort((a, b) => a - b));
      const gaps = served.slice(1).map(({ ms }, i) => ms - (served[i]?.ms ?? 0));
      for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(INTERVAL_MS);
      // What is handed out and not used is what was on its way when the last of those who waited gave up.
      expect(server.handedOut() - served.length).toBeLessThanOrEqual(cancelled);
      if (all.every(({ givesUpAfterMs }) => givesUpAfterMs === null)) expect(server.handedOut()).toBe(served.length);
    }),
    { numRuns: 200 },
  );
});

test("a turn on its way goes to who comes next when the one who asked for it has left", async () => {
  const server = createServer();
  const turns = createTurns(server.ask);
  const never = new AbortController().signal;
  await Promise.all([turns.take(never), vi.advanceTimersByTimeAsync(10)]);
  const stop = new AbortController();
  const left = turns.take(stop.signal).catch((error) => error);
  await vi.advanceTimersByTimeAsync(10);
  expect(server.handedOut()).toBe(2);
  stop.abort();
  expect(await left).toBeInstanceOf(CancelledError);
  const next = turns.take(never);
  await vi.runAllTimersAsync();
  await next;
  expect(server.handedOut()).toBe(2);
});

test("nobody waits any more: no timer is left, however long the server said", async () => {
  const turns = createTurns(async () => ({ taken: false, waitMs: 900_000 }));
  const stop = new AbortController();
  const left = turns.take(stop.signal).catch((error) => error);
  await vi.advanceTimersByTimeAsync(10);
  expect(vi.getTimerCount()).toBe(1);
  stop.abort();
  expect(await left).toBeInstanceOf(CancelledError);
  expect(vi.getTimerCount()).toBe(0);
});
