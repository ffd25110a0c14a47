// queue <root> <path>…: puts images below a root on the queue and prints their outcomes, in the order they come.
import { consumeResults, createProducer } from "cardbatch";

const redisUrl = process.env.REDIS_URL ?? "redis://127.0.0.1";
const connection = { redisUrl, prefix: process.env.CARDBATCH_PREFIX ?? "{cardbatch}" };
const [root = "", ...paths] = process.argv.slice(2);
const destination = "example";
const missing = new Set(paths);

const producer = createProducer(connection);
await producer.add(paths.map((path) => ({ image: { root, path, page: 0 }, batch: "example", ref: path, destination })));
await producer.close();

await new Promise<void>((resolve) => {
  const consumer = consumeResults({ ...connection, destination }, async ({ ref, outcome, cards, code }) => {
    // The same outcome may come twice; what a service does with it has to bear that.
    if (ref === null || !missing.delete(ref)) return;
    console.log(outcome, cards[0]?.number?.masked ?? code);
    if (missing.size === 0) setImmediate(() => void consumer.close().then(resolve));
  });
});
