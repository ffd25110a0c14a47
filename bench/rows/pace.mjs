import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { fullestSecond, percent, round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";
import { ACCOUNT, TOKEN } from "../lib/place.mjs";

const RATE = 50;
/** The vendor allows a little more than it is asked for, so that a 429 is our fault and not the network's. */
const LIMIT = RATE + 2;
const PROCESSES = 4;
const LATENCY_MS = 100;
const WARM_UP_MS = 3000;
const CONCURRENCY = 32;

/** Four worker processes of one account, as the vendor sees them. */
export const paceRow = paceRowOf("pace", { burst: 1, goal: 0.995, most: LIMIT, limit: LIMIT });

/** The same with `_BURST=0`, at a vendor that allows not one call more. */
export const strictPaceRow = paceRowOf("pace-strict", { burst: 0, goal: 0.97, most: RATE, limit: RATE });

function paceRowOf(name, { burst, goal, most, limit }) {
  return {
    name,
    what: `pace: ${PROCESSES} processes, ${RATE}/s, burst ${burst}, vendor allows ${limit}/s`,
    measure: async (place, scale) => {
      const ours = await measureOurs(place, scale, burst, limit);
      const theirs = burst === 1 ? await measureBullmq(place, scale, limit) : null;
      return {
        value: round(ours.share, 4),
        measured: tell(ours),
        beside: theirs === null ? "" : `BullMQ's limiter ${tell(theirs)}`,
        goal: `≥ ${percent(goal)}, ≤ ${most} in a second, no 429`,
        met: ours.share >= goal && ours.fullest <= most && ours.refused === 0,
        rounds: { ours, bullmq: theirs },
      };
    },
  };
}

function tell({ share, fullest, refused }) {
  return `${percent(share)}, ${fullest} in a second, ${refused} × 429`;
}

async function measureOurs(place, scale, burst, limit) {
  const folder = join(place.folder, "paced");
  await drawTiny(folder, RATE * (scale.paceSeconds + 15));
  await place.forget();
  const emulator = await place.startEmulator(["--limit", String(limit), "--latency", String(LATENCY_MS)]);
  const env = { ...emulator.env, CARDBATCH_HUAWEI_BURST: String(burst), CARDBATCH_HUAWEI_RATE: String(RATE) };
  const worker = ["worker", "--provider", "huawei", "--concurrency", String(CONCURRENCY)];
  await place.run(["enqueue", folder, "--provider", "huawei", "--backlog", "100000"]);
  const workers = Array.from({ length: PROCESSES }, () => place.start(worker, env));
  return observe(emulator, workers, scale);
}

async function measureBullmq(place, scale, limit) {
  await place.forget();
  const emulator = await place.startEmulator(["--limit", String(limit), "--latency", String(LATENCY_MS)]);
  const name = "limited";
  const queue = new Queue(name, { connection: place.redis });
  const jobs = Array.from({ length: RATE * (scale.paceSeconds + 15) }, () => ({ name, data: {} }));
  for (let from = 0; from < jobs.length; from += 500) await queue.addBulk(jobs.slice(from, from + 500));
  const options = {
    redisUrl: place.redisUrl,
    queue: name,
    endpoint: emulator.url,
    path: `/v2/${ACCOUNT.project}/ocr/bankcard`,
    headers: { "content-type": "application/json", "x-auth-token": TOKEN },
    image: readFileSync(join(place.folder, "paced", "0000", "0000000.jpg"), "base64"),
    rate: RATE,
    concurrency: CONCURRENCY,
  };
  const workers = Array.from({ length: PROCESSES }, () => place.startScript("limited-worker.mjs", options));
  const seen = await observe(emulator, workers, scale);
  await queue.close();
  return seen;
}

/** Lets them work for a while, and reads at the vendor what came of it. */
async function observe(emulator, workers, { paceSeconds }) {
  while ((await emulator.totals()).calls === 0) await sleep(50);
  await sleep(WARM_UP_MS + paceSeconds * 1000 + 500);
  for (const { kill } of workers) kill("SIGTERM");
  await Promise.all(workers.map(({ done }) => done));
  const calls = await emulator.calls();
  await emulator.stop();
  const from = calls[0].at + WARM_UP_MS;
  const counted = calls.filter(({ at, status }) => at >= from && at < from + paceSeconds * 1000 && status !== 429);
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  return {
    share: counted.length / (RATE * paceSeconds),
    fullest: fullestSecond(times),
    refused: calls.filter(({ status }) => status === 429).length,
  };
}
