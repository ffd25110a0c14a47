// A process that takes a lease, says so, and stays until it is ended.
import { Keys } from "../../dist/queue/keys.js";
import { openPresence } from "../../dist/queue/presence.js";
import { connectRedis } from "../../dist/queue/redis.js";

const [url, prefix, what] = process.argv.slice(2);
const redis = connectRedis({ url, name: "presence-process", onError: () => {} });
const presence = await openPresence(redis, new Keys(prefix));
console.log((await presence.acquire(what)) ? "held" : "not held");
