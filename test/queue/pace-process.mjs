// A process that takes turns for a while and prints when each came, in ms of a clock that all processes share; at the end
// how late its timers were at worst.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Keys } from "../../dist/queue/keys.js";
import { createPace } from "../../dist/queue/pace.js";
import { connectRedis } from "../../dist/queue/redis.js";

const [url, prefix, presence, rate, forMs] = process.argv.slice(2);
const redis = connectRedis({ url, name: "pace-process", onError: () => {} });
const limits = { perSecond: Number(rate), perMinute: null, perDay: null, inFlight: null };
const options = { provider: "huawei", account: "two processes", limits, burst: 1, timeoutMs: 2000, presence };
const pace = await createPace(redis, new Keys(prefix), options);
const never = new AbortController().signal;
const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();
const until = performance.now() + Number(forMs);
const caller = async () => {
  while (performance.now() < until) {
    await pace.take(never, false);
    console.log(JSON.stringify({ turn: performance.timeOrigin + performance.now() }));
  }
};
await Promise.all(Array.from({ length: 8 }, caller));
delay.disable();
console.log(JSON.stringify({ latestMs: delay.max / 1e6 }));
await pace.close();
redis.disconnect();
