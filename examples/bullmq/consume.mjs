// consume.mjs <destination> [count]: reads outcomes with BullMQ alone, checks each against the JSON Schema, and prints it; ends
// after `count`.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { DelayedError, Worker } from "bullmq";
import { Redis } from "ioredis";

const [destination = "", count = "Infinity"] = process.argv.slice(2);
const prefix = process.env.CARDBATCH_PREFIX ?? "{cardbatch}";
const schema = JSON.parse(readFileSync(new URL(import.meta.resolve("cardbatch/schemas/v1/outcome.json")), "utf8"));
const isOutcome = new Ajv2020({ strictTypes: false, formats: { "date-time": true } }).compile(schema);
const connection = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1", { maxRetriesPerRequest: null });
let left = Number(count);

const workers = ["card-results", "card-failures"].map(
  (queue) =>
    new Worker(`${queue}.${destination}`, take, {
      connection,
      prefix,
      concurrency: 8,
      // BullMQ's own two would fail, and so throw away, what was in hand when a consumer died twice.
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
    }),
);
for (const worker of workers) worker.on("error", (error) => console.error(error.message));

/** What resolves is gone. At least once each: the same `request` may come again. */
async function take(job, token) {
  if (!isOutcome(job.data)) {
    // Another version, for somebody who knows it: it stays on the queue.
    console.error(`left on the queue: ${isOutcome.errors?.[0]?.instancePath} ${isOutcome.errors?.[0]?.message}`);
    await job.moveToDelayed(Date.now() + 600_000, token);
    throw new DelayedError();
  }
  const { outcome, cards, code } = job.data;
  console.log(outcome, cards[0]?.number?.masked ?? code);
  left -= 1;
  if (left === 0) setImmediate(close);
}

async function close() {
  await Promise.all(workers.map((worker) => worker.close()));
  connection.disconnect();
}
