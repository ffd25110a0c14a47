import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../helpers/random.js";
import { openTestRedis } from "../helpers/redis.js";
import { mostWithin, slidingLimit, startFleet, type VirtualCall, type VirtualFleet } from "./virtual-fleet.js";

const { redis, keys } = openTestRedis();
let accounts = 0;
const account = () => `virtual-${++accounts}`;
const always = () => "ok" as const;

/** Of the calls between two moments. @unit seconds */
function between({ calls }: VirtualFleet, fromS: number, toS: number) {
  const some = calls.filter(({ atMs }) => atMs >= fromS * 1000 && atMs < toS * 1000);
  const count = (answer: VirtualCall["answer"]) => some.filter((call) => call.answer === answer).length;
  return { answered: count("ok") / (toS - fromS), refused: count("throttled"), all: some.length };
}

describe("slots", () => {
  test("whatever the rate, the burst and the fleet: no window above limit and burst, and nothing left unused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(1000),
        async (perSecond, burst, processes, latencyMs) => {
          const concurrency = Math.ceil((perSecond * (latencyMs + 500)) / 1000);
          const fleet = await startFleet(redis, keys, {
            account: account(),
            limits: { perSecond },
            ...{ burst, processes, latencyMs, concurrency, vendor: always },
          });
          await fleet.runUntil(5000);
          const moments = fleet.calls.map(({ atMs }) => atMs);
          for (const windowMs of [100, 1000, 3000]) {
            const allowed = (perSecond * windowMs) / 1000 + burst;
            expect(mostWithin(moments, windowMs)).toBeLessThanOrEqual(
              Math.ceil(burst === 0 ? allowed : allowed + 1e-6),
            );
          }
          expect(moments.length).toBeGreaterThanOrEqual(Math.floor(perSecond * 5 * (burst === 0 ? 0.97 : 0.995)));
        },
      ),
      { numRuns: 8, seed: 3 },
    );
  });

  test("of a minute and a day are counted in any minute and any day", async () => {
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 5, perMinute: 60 },
      vendor: always,
    });
    await fleet.runUntil(200_000);
    const moments = fleet.calls.map(({ atMs }) => atMs);
    expect(mostWithin(moments, 60_000)).toBe(60);
    expect(moments.length).toBeGreaterThanOrEqual(3 * 60);
    expect(mostWithin(moments, 1000)).toBeLessThanOrEqual(6);
  });

  test("never number more than the places in flight", async () => {
    const latencyMs = 300;
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 100, inFlight: 7 },
      ...{ processes: 3, latencyMs, vendor: always },
    });
    await fleet.runUntil(6000);
    const moments = fleet.calls.map(({ atMs }) => atMs);
    expect(mostWithin(moments, latencyMs)).toBe(7);
    expect(moments.length).toBeGreaterThan((6000 / latencyMs) * 7 * 0.8);
  });

  test("handed out before a change are void: a lower rate counts at once", async () => {
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 50 },
      processes: 3,
      vendor: always,
    });
    await fleet.runUntil(3000);
    await fleet.override("4");
    await fleet.runUntil(8000);
    const after = fleet.calls.filter(({ atMs }) => atMs >= 3000).map(({ atMs }) => atMs);
    expect(mostWithin(after, 1000)).toBeLessThanOrEqual(5);
    await fleet.override("");
    await fleet.runUntil(10_000);
    expect(between(fleet, 8, 10).answered).toBeGreaterThanOrEqual(48);
  });
});

describe("a rate that the vendor lowers", () => {
  test.each([
    ["only refuses", null],
    ["asks for a pause", 1000],
  ])("auto finds the limit of a vendor that %s, and stays just under it", async (_, retryAfterMs) => {
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: "auto" },
      ...{ processes: 4, retryAfterMs, vendor: slidingLimit(() => 40) },
    });
    await fleet.runUntil(90_000);
    const all = between(fleet, 0, 90);
    const share = between(fleet, 30, 90).answered / 40;
    expect(share).toBeGreaterThan(0.9);
    expect(all.refused / all.all).toBeLessThan(0.02);
  });

  test.each([
    ["auto, which is only refused", "auto", null],
    ["auto, which is told to pause", "auto", 1000],
    ["a configured one, which is only refused", 50, null],
    ["a configured one, which is told to pause", 50, 1000],
  ] as const)(
    "%s: settles within 15 s when the limit falls and when it is back",
    async (_, perSecond, retryAfterMs) => {
      const limit = (atMs: number) => (atMs >= 30_000 && atMs < 60_000 ? 10 : 40);
      const fleet = await startFleet(redis, keys, {
        account: account(),
        limits: { perSecond },
        ...{ processes: 2, retryAfterMs, vendor: slidingLimit(limit) },
      });
      await fleet.runUntil(95_000);
      const low = between(fleet, 45, 60);
      expect(low.answered).toBeGreaterThan(10 * 0.6);
      expect(low.refused / low.all).toBeLessThan(0.1);
      expect(between(fleet, 75, 95).answered).toBeGreaterThan(40 * 0.75);
    },
  );

  test("comes back to what was configured, and never leaves its bounds", async () => {
    const random = seededRandom(5);
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 30 },
      ...{ processes: 2, vendor: (atMs) => (atMs < 20_000 && random() < 0.4 ? "throttled" : "ok") },
    });
    const rates: number[] = [];
    for (let s = 1; s <= 60; s++) {
      await fleet.runUntil(s * 1000);
      rates.push(fleet.rate());
    }
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(0.2);
    expect(Math.max(...rates)).toBe(30);
    expect(rates.at(-1)).toBe(30);
  });

  test("a vendor that refuses at random and says how long to pause is not starved", async () => {
    const random = seededRandom(9);
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 50 },
      ...{ retryAfterMs: 1000, vendor: () => (random() < 0.1 ? "throttled" : "ok") },
    });
    await fleet.runUntil(60_000);
    expect(fleet.rate()).toBeGreaterThan(2);
    expect(between(fleet, 0, 60).answered).toBeGreaterThan(2);
  });

  test("a call that looks whether a pause is over and meets a fault is no outage", async () => {
    const down = (_: number, before: readonly VirtualCall[]) =>
      before.length === 5 ? "throttled" : before.length === 6 ? "failed" : always();
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 20 },
      ...{ retryAfterMs: 1000, concurrency: 1, vendor: down },
    });
    await fleet.runUntil(5000);
    expect(fleet.calls.filter(({ isProbe }) => isProbe).length).toBe(1);
    expect(fleet.changes.map(({ change }) => change)).toEqual(["lowered"]);
  });
});

describe("the breaker", () => {
  test("opens when nobody is answered, lets one call at a time look, and closes when it is answered", async () => {
    const down = (atMs: number) => (atMs >= 5000 && atMs < 305_000 ? "failed" : "ok");
    const latencyMs = 100;
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 50 },
      ...{ processes: 4, latencyMs, vendor: down },
    });
    await fleet.runUntil(320_000);
    const failed = fleet.calls.filter(({ answer }) => answer === "failed");
    const probes = failed.filter(({ isProbe }) => isProbe);
    // Those that were under way when it opened, and what was needed to open it.
    expect(failed.length - probes.length).toBeLessThanOrEqual(10 + (50 * latencyMs) / 1000 + 1);
    expect(
      mostWithin(
        probes.map(({ atMs }) => atMs),
        latencyMs,
      ),
    ).toBe(1);
    expect(
      mostWithin(
        probes.map(({ atMs }) => atMs),
        60_000,
      ),
    ).toBeLessThanOrEqual(14);
    expect(between(fleet, 311, 320).answered).toBeGreaterThan(49);
    expect(fleet.changes.map(({ change }) => change).at(-1)).toBe("breaker-closed");
  });

  test("opens when half of many calls fail, and not for what a vendor does on an ordinary day", async () => {
    for (const [share, opens] of [
      [0.25, false],
      [0.7, true],
    ] as const) {
      const random = seededRandom(11);
      const fleet = await startFleet(redis, keys, {
        account: account(),
        limits: { perSecond: 50 },
        ...{ processes: 2, vendor: () => (random() < share ? "failed" : "ok") },
      });
      await fleet.runUntil(20_000);
      expect(fleet.changes.some(({ change }) => change === "breaker-opened")).toBe(opens);
    }
  });

  test("is not kept open by a process that died with the probe in its hands", async () => {
    const fleet = await startFleet(redis, keys, {
      account: account(),
      limits: { perSecond: 50 },
      ...{ processes: 2, vendor: (atMs: number) => (atMs < 3000 ? "failed" : "ok") },
    });
    await fleet.runUntil(3200);
    const key = keys.pace("huawei", `virtual-${accounts}`);
    await redis.hset(key, "probing", "1", "probe", "dead", "probeUntil", "9e15", "holdUntil", "0");
    await fleet.runUntil(6000);
    expect(between(fleet, 5, 6).answered).toBeGreaterThan(45);
  });
});
