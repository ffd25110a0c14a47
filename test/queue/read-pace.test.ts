import { afterAll, expect, test } from "vitest";
import type { CallLimits, Pace } from "../../src/domain/pace.js";
import { createPace } from "../../src/queue/pace.js";
import { readPaces } from "../../src/queue/read-pace.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const open: Pace[] = [];
afterAll(() => Promise.all(open.map((pace) => pace.close())));
const NEVER = new AbortController().signal;

async function startPace(presence: string, perSecond: CallLimits["perSecond"], provider = "huawei"): Promise<Pace> {
  const limits = { perSecond, perMinute: null, perDay: null, inFlight: null };
  const options = { provider, account: "account", limits, burst: 1, timeoutMs: 1000, presence };
  const pace = await createPace(redis, keys, options);
  open.push(pace);
  return pace;
}

test("says of every account who was told what, and why nobody calls", async () => {
  expect(await readPaces(redis, keys)).toEqual([]);
  const pace = await startPace("one", 20);
  await startPace("two", 10);
  const [calm] = await readPaces(redis, keys);
  expect(calm).toMatchObject({ provider: "huawei", limit: 10, overridden: false, estimate: null, heldUntil: null });
  expect(calm).toMatchObject({ breaker: "closed", because: null, stopped: false });
  const told = calm?.told.map(({ process, perSecond }) => [process, perSecond]).sort();
  expect(told).toEqual([
    ["one", 20],
    ["two", 10],
  ]);

  const slot = await pace.take(NEVER, false);
  await pace.report(slot, { kind: "throttled", retryAfterMs: 60_000 });
  const [held] = await readPaces(redis, keys);
  expect(held?.heldUntil?.getTime()).toBeGreaterThan(Date.now() + 30_000);
  expect(held).toMatchObject({ breaker: "closed", stopped: false });

  const other = await startPace("one", "auto", "shiliuai");
  await other.report(await other.take(NEVER, false), { kind: "stopped", code: "provider-arrears" });
  const stopped = (await readPaces(redis, keys)).find(({ provider }) => provider === "shiliuai");
  expect(stopped).toMatchObject({ limit: "auto", stopped: true, because: "provider-arrears" });
});
