// A service's process: enqueues images/<from>.png to images/<to - 1>.png by the library, every other one for the destination `slow`.
import { createProducer } from "cardbatch";

const [from, to] = process.argv.slice(2).map(Number);
const { REDIS_URL: redisUrl, CARDBATCH_PREFIX: prefix } = process.env;
// Less than the workers allow to be unread: they never have to put a job off.
const producer = createProducer({ redisUrl, prefix, mostUnread: 50, patienceMs: 3_600_000 });
const images = Array.from({ length: to - from }, (_, i) => ({
  image: { root: "archive", path: pathOf(from + i), page: 0 },
  batch: "services",
  ref: `ref-${from + i}`,
  destination: (from + i) % 2 === 0 ? "quick" : "slow",
}));
await producer.add(images);
await producer.close();

function pathOf(n) {
  return `${String(Math.floor(n / 100)).padStart(4, "0")}/${String(n).padStart(6, "0")}.png`;
}
