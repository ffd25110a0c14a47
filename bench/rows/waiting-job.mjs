import { join } from "node:path";
import { round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";

/** What Redis needs for a job that waits: the queue's keys, and beside them the marks that stay when it is done. */
export const waitingJobRow = {
  name: "waiting-job",
  what: "Redis bytes per waiting job",
  measure: async (place, scale) => {
    const folder = join(place.folder, "waiting");
    await drawTiny(join(folder, "2019", "branch-0017"), scale.waitingJobs);
    await place.forget();
    await place.run(["enqueue", folder, "--provider", "huawei", "--backlog", "100000000"], {
      CARDBATCH_ROOTS: `archive=${folder}`,
    });
    const queue = (await bytesOf(place.redis, "card-images")) / scale.waitingJobs;
    const marks = ((await bytesOf(place.redis, "req")) + (await bytesOf(place.redis, "img"))) / scale.waitingJobs;
    return {
      value: round(queue, 0),
      measured: `${queue.toFixed(0)} B`,
      beside: `its marks ${marks.toFixed(0)} B; path of ${"2019/branch-0017/0000/0000000.jpg".length} characters in a named root`,
      goal: "≤ 700 B",
      met: queue <= 700,
      rounds: { queue, marks },
    };
  },
};

async function bytesOf(redis, kind) {
  let bytes = 0;
  for await (const names of redis.scanStream({ match: `{cardbatch}:${kind}:*`, count: 1000 })) {
    const usage = redis.pipeline();
    for (const name of names) usage.memory("USAGE", name, "SAMPLES", 0);
    for (const [, size] of await usage.exec()) bytes += Number(size ?? 0);
  }
  return bytes;
}
