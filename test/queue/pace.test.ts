import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { CancelledError, ProviderError } from "../../src/domain/errors.js";
import type { CallLimits, Pace, Slot } from "../../src/domain/pace.js";
import { createPace } from "../../src/queue/pace.js";
import { openTestRedis } from "../helpers/redis.js";
import { mostWithin } from "./virtual-fleet.js";

const { url, redis, keys, connect } = openTestRedis();
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

const open: Pace[] = [];
afterAll(async () => {
  for (const pace of open) await pace.close();
});

/** One process's view of an account's pace. */
async function openPace(account: string, rate: number, more: Partial<CallLimits> & { burst?: number } = {}) {
  const { burst = 1, ...others } = more;
  const presence = `p${open.length}`;
  const limits = { perSecond: rate, perMinute: null, perDay: null, inFlight: null, ...others };
  const options = { provider: "huawei", account, limits, burst, timeoutMs: 2000, presence };
  const pace = await createPace(connect(), keys, options);
  await redis.set(keys.owner(presence), "1");
  open.push(pace);
  return pace;
}

const take = (pace: Pace, signal = NEVER) => pace.take(signal, false);

/** Takes turns one after another until the end; when each came. */
async function takeTurns(pace: Pace, until: number, onTurn = () => {}): Promise<number[]> {
  const turns: number[] = [];
  while (performance.now() < until) {
    await take(pace);
    turns.push(performance.now());
    onTurn();
  }
  return turns;
}

describe.concurrent("slots of one account, taken by several processes", () => {
  test.each([
    ["one after another", 100, 1],
    ["with a burst", 100, 10],
    ["strictly spaced", 100, 0],
  ])("%s: the full rate, and no more", async (account, rate, burst) => {
    const fleet = await Promise.all([1, 2, 3].map(() => openPace(account, rate, { burst })));
    const delay = monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    const until = performance.now() + 1500;
    const callers = fleet.flatMap((pace) => Array.from({ length: 8 }, () => takeTurns(pace, until)));
    const turns = (await Promise.all(callers)).flat();
    delay.disable();
    expect(mostWithin(turns, 1000)).toBeLessThanOrEqual(rate + burst + lateTurns(rate, delay.max / 1e6));
    expect(turns.length).toBeGreaterThan(rate / 2);
  });

  test("in two processes of their own: what Redis hands out is one pace", async () => {
    const script = fileURLToPath(new URL("./pace-process.mjs", import.meta.url));
    const takes = [1, 2].map(async (number) => {
      const args = [script, url, keys.prefix, `child-${number}`, "100", "1500"];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const said: { turn?: number; latestMs?: number }[] = [];
      for await (const line of createInterface({ input: child.stdout })) said.push(JSON.parse(line));
      return {
        turns: said.flatMap(({ turn }) => turn ?? []),
        latestMs: Math.max(...said.map(({ latestMs = 0 }) => latestMs)),
      };
    });
    const children = await Promise.all(takes);
    for (const { turns } of children) expect(turns.length).toBeGreaterThan(10);
    const latestMs = Math.max(...children.map((child) => child.latestMs));
    const all = children.flatMap(({ turns }) => turns);
    expect(mostWithin(all, 1000)).toBeLessThanOrEqual(101 + lateTurns(100, latestMs));
  });

  test("come in the order they were asked for within a process, the urgent ones first", async () => {
    const pace = await openPace("order", 200);
    await take(pace);
    const order: string[] = [];
    const ask = (name: string, isUrgent: boolean) => pace.take(NEVER, isUrgent).then(() => order.push(name));
    const patient = Array.from({ length: 5 }, (_, i) => ask(`p${i}`, false));
    const urgent = Array.from({ length: 5 }, (_, i) => ask(`u${i}`, true));
    await Promise.all([...patient, ...urgent]);
    expect(order).toEqual(["u0", "u1", "u2", "u3", "u4", "p0", "p1", "p2", "p3", "p4"]);
  });

  test("go to who is urgent in another process, too, and to the others in between", async ({ expect }) => {
    const [busy, urgent] = [await openPace("urgent", 40), await openPace("urgent", 40)];
    const until = performance.now() + 2000;
    const takeAll = async (pace: Pace, isUrgent: boolean) => {
      let taken = 0;
      for (; performance.now() < until; taken++) await pace.take(NEVER, isUrgent);
      return taken;
    };
    const batch = Array.from({ length: 16 }, () => takeAll(busy, false));
    await take(busy);
    const requests = Array.from({ length: 16 }, () => takeAll(urgent, true));
    const [patientTurns = 0, urgentTurns = 0] = await Promise.all(
      [batch, requests].map(async (all) => (await Promise.all(all)).reduce((sum, taken) => sum + taken, 0)),
    );
    expect(urgentTurns).toBeGreaterThan(patientTurns);
    expect(patientTurns).toBeGreaterThan(0);
  });
});

describe.concurrent("the lowest rate", () => {
  test("counts, until its process is gone", async ({ expect }) => {
    const fast = await openPace("lowest", 1000);
    expect(fast.state().rate).toBe(1000);
    const slow = await openPace("lowest", 10);
    expect(slow.state().rate).toBe(10);
    await expect.poll(() => fast.state().rate, { timeout: 4000 }).toBe(10);
    await slow.close();
    await expect.poll(() => fast.state().rate, { timeout: 4000 }).toBe(1000);
  });

  test("of a process that died without a word is forgotten", async () => {
    const told = `${keys.pace("huawei", "dead")}:told`;
    const said = (perSecond: number, agoMs: number) => JSON.stringify({ perSecond, at: (Date.now() - agoMs) * 1000 });
    await redis.hset(told, "dead", said(1, 11_000), "alive", said(20, 0));
    expect((await openPace("dead", 1000)).state().rate).toBe(20);
    expect(await redis.hexists(told, "dead")).toBe(0);
  });
});

describe.concurrent("a hold", () => {
  const throttled = (pace: Pace, slot: Slot, retryAfterMs: number) =>
    pace.report(slot, { kind: "throttled", retryAfterMs });

  test("holds everybody, then one goes first, and the others when that has worked", async () => {
    const [one, two] = [await openPace("hold", 1000), await openPace("hold", 1000)];
    const heldAt = performance.now();
    await throttled(one, await take(one), 300);
    const waiting = [one, two, one, two].map((pace) => take(pace).then((slot) => ({ pace, slot })));
    const first = await Promise.race(waiting);
    expect(performance.now() - heldAt).toBeGreaterThan(295);
    expect(first.slot.isProbe).toBe(true);
    const others = Promise.all(waiting);
    const isOver = { others: false };
    void others.then(() => {
      isOver.others = true;
    });
    await sleep(150);
    expect(isOver.others).toBe(false);
    await first.pace.report(first.slot, { kind: "ok" });
    expect((await others).filter(({ slot }) => slot.isProbe).length).toBe(1);
  });

  test("that is long sends those away who wait, with how long it is", async () => {
    const pace = await openPace("held for long", 1000);
    await throttled(pace, await take(pace), 60_000);
    const refusal = await take(pace).catch((error) => error);
    expect(refusal).toBeInstanceOf(ProviderError);
    expect(refusal).toMatchObject({ code: "provider-held", retryAfterMs: expect.closeTo(60_000, -3) });
    expect(pace.state().waiting).toMatchObject({ why: "held" });
  });

  test("leaves another account alone", async () => {
    const held = await openPace("held", 1000);
    await throttled(held, await take(held), 60_000);
    await take(await openPace("not held", 1000));
  });
});

test("an account that is stopped is stopped for everybody", async () => {
  const [one, two] = [await openPace("stopped", 1000), await openPace("stopped", 1000)];
  await one.report(await take(one), { kind: "stopped", code: "provider-arrears" });
  await expect(take(two)).rejects.toMatchObject({ code: "provider-arrears", disposition: "stop-provider" });
});

test("places in flight are shared, and free again when their calls have ended", async () => {
  const [one, two] = [
    await openPace("in flight", 1000, { inFlight: 2 }),
    await openPace("in flight", 1000, { inFlight: 2 }),
  ];
  const [first, second] = [await take(one), await take(two)];
  const third = take(two);
  const winner = await Promise.race([third.then(() => "third"), sleep(150, "nobody")]);
  expect(winner).toBe("nobody");
  await one.report(first, { kind: "ok" });
  await third;
  await two.report(second, { kind: "void" });
  await take(one);
});

describe.concurrent("who gives up waiting", () => {
  test("has no turn, whether he asked a moment ago or never got to ask", async () => {
    const pace = await openPace("aborted before", 1000);
    await expect(take(pace, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
    const stop = new AbortController();
    const turn = take(pace, stop.signal);
    stop.abort();
    await expect(turn).rejects.toBeInstanceOf(CancelledError);
  });

  test("takes none away from the others", async () => {
    const RATE = 50;
    const pace = await openPace("aborted", RATE);
    const until = performance.now() + 1500;
    // At every turn somebody joins the queue and leaves it again before his own turn comes.
    const impatient: Promise<unknown>[] = [];
    const turns = await Promise.all(
      [1, 2, 3].map(() =>
        takeTurns(pace, until, () => {
          const stop = new AbortController();
          impatient.push(take(pace, stop.signal).catch(() => {}));
          setTimeout(() => stop.abort(), 5);
        }),
      ),
    );
    await Promise.all(impatient);
    // All that are lost: one each time.
    expect(turns.flat().length).toBeGreaterThan((RATE * 1.5) / 2);
  });
});

/** A turn that comes late on a busy machine falls into a later second: so many may, and three for the way to Redis. */
function lateTurns(rate: number, latestMs: number): number {
  return Math.ceil((rate * latestMs) / 1000) + 3;
}
