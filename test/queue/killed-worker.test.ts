import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createImageWorker } from "../../src/queue/image-worker.js";
import { createImages } from "../../src/queue/images.js";
import { createOutcomes } from "../../src/queue/outcomes.js";
import { requestOf } from "../helpers/image-keys.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";

const { url, redis, keys, connect } = openTestRedis();
const SCRIPT = fileURLToPath(new URL("./worker-process.mjs", import.meta.url));
const NEVER = { soft: new AbortController().signal, hard: new AbortController().signal };
const BATCH = {
  name: "b",
  providers: ["huawei"],
  thresholds: { huawei: 0.9, shiliuai: 0.9, local: 0.9 },
  destination: null,
  sources: [],
  generation: "1",
  refreshSinceMs: 0,
  window: null,
  halt: null,
} as const;

test("what a killed worker had in its hands runs elsewhere within 10 s, however often that happens, and never fails", async () => {
  const images = createImages(redis, keys);
  const outcomes = createOutcomes(redis, keys, 100);
  const names = ["a", "b", "c"];
  await images.add(
    names.map((name) => ({
      request: requestOf("b", name),
      job: { schema: 1, image: { path: `/${name}`, page: 0 }, batch: "b" },
    })),
  );
  // Two die with the jobs in their hands, the second with those that the first left behind.
  for (let death = 1; death <= 2; death++) {
    const child = spawn(process.execPath, [SCRIPT, url, keys.prefix], { stdio: ["ignore", "pipe", "inherit"] });
    let taken = 0;
    child.stdout.on("data", (data) => {
      taken += String(data).split("\n").length - 1;
    });
    await expect.poll(() => taken, { timeout: 40_000, interval: 50 }).toBe(names.length);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const worker = createImageWorker(
    connect(),
    keys,
    { concurrency: 4, stop: NEVER },
    {
      recognize: async (job) => ({
        kind: "outcome",
        record: recordOf("b", "path" in job.image ? job.image.path.slice(1) : ""),
      }),
      batch: async () => BATCH,
      publish: outcomes.publish,
      isCancelled: async () => true,
      isFull: outcomes.isFull,
      addPages: async () => {},
      refuse: () => ({ record: recordOf("b", "refused"), destination: null }),
      emit: () => {},
    },
  );
  await expect.poll(() => outcomes.unread(null), { timeout: 10_000, interval: 50 }).toBe(names.length);
  await expect.poll(() => images.unfinished()).toBe(0);
  await worker.close();
  await images.close();
  await outcomes.close();
}, 120_000);
