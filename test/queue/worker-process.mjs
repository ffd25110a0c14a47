// A worker that says when it has taken a job, and never ends it.
import { createImageWorker } from "../../dist/queue/image-worker.js";
import { Keys } from "../../dist/queue/keys.js";
import { connectRedis } from "../../dist/queue/redis.js";

const [url, prefix] = process.argv.slice(2);
const redis = connectRedis({ url, name: "worker-process", onError: () => {} });
const never = new AbortController().signal;
const batch = { name: "b", destination: null, generation: "1", window: null, halt: null };
createImageWorker(
  redis,
  new Keys(prefix),
  { concurrency: 4, stop: { soft: never, hard: never } },
  {
    recognize: ({ image }) => {
      console.log(image.path);
      return new Promise(() => {});
    },
    batch: async () => batch,
    isFull: async () => false,
    emit: () => {},
  },
);
