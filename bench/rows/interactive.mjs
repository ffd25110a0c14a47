import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { quantile, round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";

const RATE = 50;
const PROCESSES = 2;
const REQUESTS = 20;
const EVERY_MS = 700;

/** A service asks for single images while a batch is worked on at the full rate. */
export const interactiveRow = {
  name: "interactive",
  what: "interactive request during a batch at full pace: start",
  measure: async (place, scale) => {
    const folder = join(place.folder, "busy");
    await drawTiny(folder, scale.busyImages);
    const single = join(place.folder, "single");
    await drawTiny(single, scale.busyImages + REQUESTS);
    await place.forget();
    const emulator = await place.startEmulator(["--latency", "100"]);
    await place.run(["enqueue", folder, "--provider", "huawei", "--backlog", "100000000"]);
    const args = ["worker", "--provider", "huawei", "--rate", String(RATE)];
    const env = { ...emulator.env, CARDBATCH_ROOTS: `batch=${folder},single=${single}` };
    const workers = Array.from({ length: PROCESSES }, () => place.start(args, env));
    while ((await emulator.totals()).calls < 3 * RATE) await sleep(50);
    const waits = await ask(place, emulator, single);
    for (const { kill } of workers) kill("SIGKILL");
    await Promise.all(workers.map(({ done }) => done));
    await emulator.stop();
    const p95 = quantile(waits, 0.95);
    return {
      value: round(p95),
      measured: `p95 ${p95.toFixed(2)} s, p50 ${quantile(waits, 0.5).toFixed(2)} s`,
      beside: `${scale.busyImages} images in the batch, ${RATE}/s, ${REQUESTS} requests`,
      goal: "≤ 2 s",
      met: p95 <= 2,
      rounds: { waits: waits.map((wait) => round(wait, 3)) },
    };
  },
};

/** @returns seconds from a request to its call at the vendor */
async function ask(place, emulator, folder) {
  const queue = new Queue("card-images", { connection: place.redis, prefix: "{cardbatch}", skipMetasUpdate: true });
  const all = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".jpg"));
  const names = all.sort().slice(-REQUESTS);
  const asked = [];
  for (const path of names) {
    const key = `sha256:${hash("sha256", readFileSync(join(folder, path)), "hex")}`;
    const image = { root: "single", path, key };
    asked.push({ key, at: Date.now() });
    await queue.add("image", { schema: 1, image, batch: "service", priority: "interactive" });
    await sleep(EVERY_MS);
  }
  await sleep(3000);
  const calls = await emulator.calls();
  await queue.close();
  return asked.map(({ key, at }) => {
    const call = calls.find(({ image }) => image === key);
    return call === undefined ? Number.POSITIVE_INFINITY : (call.at - at) / 1000;
  });
}
