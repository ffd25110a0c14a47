import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { percent, round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";

const LIMIT = 40;
const LOW = 10;
const PROCESSES = 2;
const SETTLED_MS = 15_000;
/** Of the limit, from which on it counts as found. */
const CLOSE = 0.85;
const WINDOW_MS = 5000;

/** `--rate auto` at a vendor whose limit nobody told, and which changes it twice. */
export const autoRateRow = {
  name: "auto-rate",
  what: `--rate auto: vendor allows ${LIMIT}/s, ${LOW}/s for a while, ${LIMIT}/s again`,
  measure: async (place, scale) => {
    const { learnMs, measureMs, lowMs } = scale.auto;
    const folder = join(place.folder, "auto");
    await drawTiny(folder, Math.ceil((LIMIT * 1.3 * (learnMs + 2 * measureMs + lowMs)) / 1000));
    await place.forget();
    const emulator = await place.startEmulator(["--limit", String(LIMIT), "--latency", "100"]);
    await place.run(["enqueue", folder, "--provider", "huawei", "--backlog", "100000000"]);
    const args = ["worker", "--provider", "huawei", "--rate", "auto", "--concurrency", "32"];
    const workers = Array.from({ length: PROCESSES }, () => place.start(args, emulator.env));
    while ((await emulator.totals()).calls === 0) {
      if (workers.some(({ child }) => child.exitCode !== null)) throw new Error(workers[0].output.stderr);
      await sleep(50);
    }
    const startedAt = Date.now();
    await sleep(learnMs + measureMs);
    const droppedAt = await setLimit(emulator, LOW);
    await sleep(lowMs);
    const backAt = await setLimit(emulator, LIMIT);
    await sleep(learnMs);
    for (const { kill } of workers) kill("SIGKILL");
    await Promise.all(workers.map(({ done }) => done));
    const calls = await emulator.calls();
    await emulator.stop();
    return judge(calls, { from: startedAt + learnMs, droppedAt, backAt, until: backAt + learnMs });
  },
};

function judge(calls, { from, droppedAt, backAt, until }) {
  const between = (start, end) => calls.filter(({ at }) => at >= start && at < end);
  const refused = (some) => some.filter(({ status }) => status === 429).length;
  const steady = between(from, droppedAt);
  const share = (steady.length - refused(steady)) / ((LIMIT * (droppedAt - from)) / 1000);
  const throttled = refused(steady) / steady.length;
  const down = settling(calls, droppedAt, backAt, LOW);
  const up = settling(calls, backAt, until, LIMIT);
  return {
    value: round(share, 3),
    measured: `${percent(share)} of it, ${percent(throttled)} × 429; settled in ${down.toFixed(0)} s and ${up.toFixed(0)} s`,
    beside: "",
    goal: "≥ 90 %, < 2 % × 429, ≤ 15 s each way",
    met: share >= 0.9 && throttled < 0.02 && Math.max(down, up) * 1000 <= SETTLED_MS,
    rounds: { share, throttled, down, up },
  };
}

/** Seconds until a window begins in which most of the limit is used and next to nothing is over it. */
function settling(calls, changedAt, until, limit) {
  for (let start = changedAt; start + WINDOW_MS <= until; start += 250) {
    const its = calls.filter(({ at }) => at >= start && at < start + WINDOW_MS);
    const refused = its.filter(({ status }) => status === 429).length;
    const used = (its.length - refused) / ((limit * WINDOW_MS) / 1000);
    if (used >= CLOSE && refused <= 0.1 * its.length) return (start - changedAt) / 1000;
  }
  return Number.POSITIVE_INFINITY;
}

/** The emulator takes a new limit with the next call. */
async function setLimit(emulator, callsPerSecond) {
  await emulator.setFaults([{ probability: 1, times: 1, do: { kind: "limit", callsPerSecond } }]);
  return Date.now();
}
