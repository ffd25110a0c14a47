import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile, round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";

const IN_FLIGHT = 16;
/** Longer than anybody waits here: the victim's calls never end. */
const LATENCY_MS = 60_000;
const GIVE_UP_MS = 60_000;

/** Two workers; one is killed with its calls under way. How long until each of their images is called for again? */
export const killRow = {
  name: "kill",
  what: `kill -9 of a worker: its ${IN_FLIGHT} images run again`,
  measure: async (place, scale) => {
    const waits = [];
    for (let i = 0; i < scale.kills; i++) waits.push(...(await killOne(place)));
    const worst = Math.max(...waits);
    return {
      value: round(worst),
      measured: `within ${worst.toFixed(1)} s, p95 ${quantile(waits, 0.95).toFixed(1)} s`,
      beside: "BullMQ alone 60 s by its defaults",
      goal: "≤ 10 s",
      met: worst <= 10,
      rounds: { waits: waits.map((wait) => round(wait)) },
    };
  },
};

/** @returns seconds from the kill to the next call, an image */
async function killOne(place) {
  const folder = join(place.folder, "killed");
  await drawTiny(folder, IN_FLIGHT + 1);
  await place.forget();
  const emulator = await place.startEmulator([]);
  const args = ["worker", "--provider", "huawei", "--rate", "1000", "--concurrency", String(IN_FLIGHT)];
  await place.run(["enqueue", folder, "--provider", "huawei"]);
  const victim = place.start(args, emulator.env);
  await until(async () => (await emulator.totals()).answered === IN_FLIGHT + 1 && (await place.jobsInWork()) === 0);
  // Its first call has gone through; from here on answers take their time; those to its heir do not, whose first call goes alone.
  await emulator.reset();
  await place.forget();
  await emulator.setFaults([{ times: IN_FLIGHT, do: { kind: "delay", ms: LATENCY_MS } }]);
  await place.run(["enqueue", folder, "--provider", "huawei", "--limit", String(IN_FLIGHT)]);
  await until(async () => (await emulator.totals()).calls === IN_FLIGHT);
  const heir = place.start(args, emulator.env);
  await until(() => heir.output.stderr.includes("working"));
  const killedAt = Date.now();
  victim.kill("SIGKILL");
  await until(async () => (await emulator.totals()).calls >= 2 * IN_FLIGHT);
  const calls = await emulator.calls();
  heir.kill("SIGKILL");
  await heir.done;
  await emulator.stop();
  const again = calls.filter(({ at }) => at > killedAt);
  return again.map(({ at }) => (at - killedAt) / 1000);
}

async function until(isSo) {
  const deadline = Date.now() + GIVE_UP_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited ${GIVE_UP_MS} ms for nothing`);
    await sleep(20);
  }
}
