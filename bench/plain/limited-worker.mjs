// BullMQ as its documentation has it: its own limiter for the queue, and `rateLimit` when the vendor answers 429.
import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { Agent, request } from "undici";

const { redisUrl, queue, endpoint, path, headers, image, rate, concurrency } = JSON.parse(process.argv[2]);
const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
const dispatcher = new Agent({ connections: concurrency });
const body = Buffer.from(JSON.stringify({ image }));
const worker = new Worker(
  queue,
  async () => {
    const { statusCode, body: reply } = await request(endpoint + path, { dispatcher, method: "POST", headers, body });
    await reply.dump();
    if (statusCode !== 429) return;
    await worker.rateLimit(1000);
    throw Worker.RateLimitError();
  },
  { connection, concurrency, limiter: { max: rate, duration: 1000 }, removeOnComplete: { count: 0 } },
);
worker.on("error", () => {});
process.on("SIGTERM", async () => {
  await worker.close();
  connection.disconnect();
  await dispatcher.close();
});
