import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { CancelledError } from "../../src/domain/errors.js";
import type { Pace } from "../../src/domain/pace.js";
import { createPace } from "../../src/queue/pace.js";
import type { Redis } from "../../src/queue/redis.js";
import { openTestRedis } from "../helpers/redis.js";

const { url, keys, connect } = openTestRedis();
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

const open: Pace[] = [];
afterAll(async () => {
  for (const pace of open) await pace.close();
});

/** One process's view of an account's pace. */
async function openPace(account: string, rate: number, burst = 1): Promise<Pace> {
  const presence = `p${open.length}`;
  const pace = await createPace(connect(), keys, { provider: "huawei", account, rate, burst, presence });
  open.push(pace);
  return pace;
}

/** Takes turns one after another until the end; when each came. */
async function takeTurns(pace: Pace, until: number, onTurn = () => {}): Promise<number[]> {
  const turns: number[] = [];
  while (performance.now() < until) {
    await pace.take(NEVER);
    turns.push(performance.now());
    onTurn();
  }
  return turns;
}

/** The most of these moments that any second holds. */
function mostInASecond(moments: readonly number[]): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let first = 0;
  const counts = sorted.map((moment, last) => {
    while (moment - (sorted[first] ?? 0) >= 1000) first++;
    return last - first + 1;
  });
  return Math.max(...counts);
}

function perSecond(moments: readonly number[]): number {
  return (moments.length - 1) / ((Math.max(...moments) - Math.min(...moments)) / 1000);
}

describe("what the server hands out", () => {
  /** Asks as a process does, and says when the turn is, by the server's clock; null: none yet. */
  async function askServer(redis: Redis, key: string, intervalUs: number, burst: number): Promise<number | null> {
    const pipeline = redis.multi().time() as unknown as Record<string, (...args: unknown[]) => typeof pipeline>;
    const asked = pipeline.cardbatchPaceTake?.(key, intervalUs, (burst - 1) * intervalUs, 250_000);
    const [[, time], [, reply]] = (await (asked as unknown as { exec(): Promise<unknown> }).exec()) as [
      [null, [string, string]],
      [null, [number, number]],
    ];
    const [taken, waitUs] = reply;
    return taken === 1 ? Number(time[0]) * 1e6 + Number(time[1]) + waitUs : null;
  }

  test("never brings n turns closer together than n less the burst take at the allowed rate", async () => {
    const redis = connect();
    const defineScripts = await createPace(redis, keys, {
      provider: "huawei",
      account: "scripts",
      rate: 1,
      burst: 1,
      presence: "p",
    });
    open.push(defineScripts);
    let account = 0;
    const CLOCK_READ_TWICE_US = 1000;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 200, max: 5000 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.nat(5), { minLength: 20, maxLength: 60 }),
        async (rate, burst, pausesMs) => {
          const key = keys.pace("huawei", `property-${account++}`);
          const intervalUs = Math.ceil(1e6 / rate);
          const turns: number[] = [];
          for (const pauseMs of pausesMs) {
            if (pauseMs > 3) await sleep(pauseMs);
            const turn = await askServer(redis, key, intervalUs, burst);
            if (turn !== null) turns.push(turn);
          }
          expect(turns.length).toBeGreaterThan(0);
          for (let i = 0; i < turns.length; i++) {
            for (let j = i + 1; j < turns.length; j++) {
              const gapUs = (turns[j] ?? 0) - (turns[i] ?? 0);
              expect(gapUs).toBeGreaterThanOrEqual((j - i - burst + 1) * intervalUs - CLOCK_READ_TWICE_US);
            }
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe.concurrent("turns of one account, taken by several processes", () => {
  test.each([
    ["one after another", 100, 1],
    ["with a burst", 100, 10],
    ["strictly spaced", 100, 0],
  ])("%s: the full rate, and no more", async (account, rate, burst) => {
    const fleet = await Promise.all([1, 2, 3].map(() => openPace(account, rate, burst)));
    const delay = monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    const until = performance.now() + 1500;
    const callers = fleet.flatMap((pace) => Array.from({ length: 8 }, () => takeTurns(pace, until)));
    const turns = (await Promise.all(callers)).flat();
    delay.disable();
    expect(mostInASecond(turns)).toBeLessThanOrEqual(rate + burst + lateTurns(rate, delay.max / 1e6));
    expect(perSecond(turns)).toBeGreaterThan(rate * 0.9);
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
    expect(mostInASecond(all)).toBeLessThanOrEqual(101 + lateTurns(100, latestMs));
  });

  test("come in the order they were asked for within a process", async () => {
    const pace = await openPace("order", 500);
    const order: number[] = [];
    await Promise.all(Array.from({ length: 30 }, (_, i) => pace.take(NEVER).then(() => order.push(i))));
    expect(order).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });
});

describe.concurrent("the lowest rate", () => {
  test("counts, until its process is gone", async ({ expect }) => {
    const fast = await openPace("lowest", 1000);
    expect(fast.allowedRate()).toBe(1000);
    const slow = await openPace("lowest", 10);
    expect(slow.allowedRate()).toBe(10);
    await expect.poll(() => fast.allowedRate(), { timeout: 4000 }).toBe(10);
    await slow.close();
    await expect.poll(() => fast.allowedRate(), { timeout: 4000 }).toBe(1000);
  });

  test("of a process that died without a word is forgotten", async () => {
    const redis = connect();
    const key = `${keys.pace("huawei", "dead")}:rates`;
    await redis.hset(key, "dead", `1|${Date.now() - 11_000}`, "alive", `20|${Date.now()}`);
    expect((await openPace("dead", 1000)).allowedRate()).toBe(20);
    expect(await redis.hexists(key, "dead")).toBe(0);
  });
});

describe.concurrent("a hold", () => {
  test("holds everybody, and the longest one counts", async () => {
    const [one, two] = [await openPace("hold", 1000), await openPace("hold", 1000)];
    await one.take(NEVER);
    const heldAt = performance.now();
    await one.hold(300);
    await two.hold(10);
    const turns = await Promise.all([one, two, one, two].map((pace) => pace.take(NEVER).then(() => performance.now())));
    expect(Math.min(...turns) - heldAt).toBeGreaterThan(295);
  });

  test("leaves another account alone", async () => {
    await (await openPace("held", 1000)).hold(60_000);
    await (await openPace("not held", 1000)).take(NEVER);
  });

  test("can be given up waiting for", async () => {
    const pace = await openPace("held for long", 1000);
    await pace.hold(60_000);
    const stop = new AbortController();
    const waiting = [1, 2, 3].map(() => pace.take(stop.signal));
    stop.abort();
    for (const turn of waiting) await expect(turn).rejects.toBeInstanceOf(CancelledError);
  });
});

describe.concurrent("who gives up waiting", () => {
  test("has no turn, whether he asked a moment ago or never got to ask", async () => {
    const pace = await openPace("aborted before", 1000);
    await expect(pace.take(AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
    const stop = new AbortController();
    const turn = pace.take(stop.signal);
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
          impatient.push(pace.take(stop.signal).catch(() => {}));
          setTimeout(() => stop.abort(), 5);
        }),
      ),
    );
    await Promise.all(impatient);
    expect(perSecond(turns.flat())).toBeGreaterThan(RATE * 0.9);
  });
});

/** A turn that comes late on a busy machine falls into a later second: so many may, and three for the way to Redis. */
function lateTurns(rate: number, latestMs: number): number {
  return Math.ceil((rate * latestMs) / 1000) + 3;
}
