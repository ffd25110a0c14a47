import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelledError } from "../../src/domain/errors.js";
import type { Slot } from "../../src/domain/pace.js";
import { createTurns, type TurnReply } from "../../src/queue/turns.js";

const INTERVAL_MS = 100;
const AHEAD_MS = 250;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server that hands out a slot every 100 ms, up to 250 ms ahead; it answers after 3 ms, and fails as often as it is told to. */
function createServer(failures: boolean[] = []) {
  let nextMs = 0;
  let handedOut = 0;
  const givenBack: number[] = [];
  const ask = async (want: number): Promise<TurnReply> => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    if (failures.shift() === true) throw new Error("out of memory");
    const slots: { slot: Slot; inMs: number }[] = [];
    while (slots.length < want) {
      const returned = givenBack.findIndex((atMs) => atMs >= Date.now());
      const atMs = returned >= 0 ? (givenBack.splice(returned, 1)[0] ?? 0) : Math.max(Date.now(), nextMs);
      if (atMs - Date.now() > AHEAD_MS) break;
      if (returned < 0) nextMs = atMs + INTERVAL_MS;
      handedOut++;
      const slot = { atUs: atMs * 1000, intervalUs: 0, toleranceUs: 0, epoch: 1, isProbe: false };
      slots.push({ slot, inMs: atMs - Date.now() });
    }
    return slots.length > 0 ? { kind: "slots", slots } : { kind: "later", waitMs: nextMs - Date.now() - AHEAD_MS };
  };
  const giveBack = (slot: Slot) => {
    handedOut--;
    givenBack.push(slot.atUs / 1000);
  };
  return { ask, giveBack, handedOut: () => handedOut };
}

const open = (server: ReturnType<typeof createServer>) => createTurns(server.ask, server.giveBack);

test("whoever comes, and whoever gives up: slots in their order, at their rate, and none kept that nobody uses", async () => {
  const callers = fc.array(
    fc.record({ atMs: fc.nat(1500), givesUpAfterMs: fc.option(fc.nat(400), { nil: null }), isUrgent: fc.boolean() }),
    { minLength: 1, maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(callers, fc.array(fc.boolean(), { maxLength: 5 }), async (all, failures) => {
      vi.setSystemTime(0);
      const server = createServer([...failures]);
      const turns = open(server);
      const served: { caller: number; ms: number; isUrgent: boolean; slot: Slot }[] = [];
      const refused: unknown[] = [];
      const inOrder = [...all].sort((a, b) => a.atMs - b.atMs);
      inOrder.forEach(({ atMs, givesUpAfterMs, isUrgent }, caller) => {
        const stop = new AbortController();
        if (givesUpAfterMs !== null) setTimeout(() => stop.abort(), atMs + givesUpAfterMs);
        setTimeout(() => {
          turns.take(stop.signal, isUrgent).then(
            (slot) => served.push({ caller, ms: Date.now(), isUrgent, slot }),
            (error) => refused.push(error),
          );
        }, atMs);
      });
      await vi.runAllTimersAsync();

      expect(refused.every((error) => error instanceof CancelledError)).toBe(true);
      expect(served.length + refused.length).toBe(all.length);
      for (const line of [true, false]) {
        const order = served.filter(({ isUrgent }) => isUrgent === line).map(({ caller }) => caller);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
      expect(new Set(served.map(({ slot }) => slot.atUs)).size).toBe(served.length);
      for (const { ms, slot } of served) expect(ms).toBeGreaterThanOrEqual(slot.atUs / 1000);
      expect(server.handedOut()).toBe(served.length);
    }),
    { numRuns: 200 },
  );
});

test("those who can wait have every tenth slot while urgent ones never end", async () => {
  const turns = open(createServer());
  const never = new AbortController().signal;
  const order: string[] = [];
  for (let i = 0; i < 40; i++) void turns.take(never, true).then(() => order.push("urgent"));
  for (let i = 0; i < 3; i++) void turns.take(never, false).then(() => order.push("patient"));
  await vi.runAllTimersAsync();
  expect(order.flatMap((who, at) => (who === "patient" ? [at] : []))).toEqual([9, 19, 29]);
});

test("a refusal is everybody's who waits, and who comes later asks anew", async () => {
  const refusal = new Error("stopped");
  let isStopped = true;
  const server = createServer();
  const turns = createTurns(
    async (want) => (isStopped ? { kind: "refused", error: refusal } : server.ask(want)),
    server.giveBack,
  );
  const never = new AbortController().signal;
  const waiting = Promise.allSettled([turns.take(never, false), turns.take(never, true)]);
  await vi.runAllTimersAsync();
  expect(await waiting).toEqual([
    { status: "rejected", reason: refusal },
    { status: "rejected", reason: refusal },
  ]);
  isStopped = false;
  const later = turns.take(never, false);
  await vi.runAllTimersAsync();
  expect(await later).toMatchObject({ epoch: 1 });
});

test("nobody waits any more: no timer is left, however long the server said", async () => {
  const turns = createTurns(
    async () => ({ kind: "later", waitMs: 900_000 }),
    () => {},
  );
  const stop = new AbortController();
  const left = turns.take(stop.signal, false).catch((error) => error);
  await vi.advanceTimersByTimeAsync(10);
  expect(vi.getTimerCount()).toBe(1);
  stop.abort();
  expect(await left).toBeInstanceOf(CancelledError);
  expect(vi.getTimerCount()).toBe(0);
});
