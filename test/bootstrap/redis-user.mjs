// A process that has a Redis ensured, prints its address as a line of JSON, and stays until it is ended.
import { ensureRedis } from "../../dist/bootstrap/private-redis.js";

const [cacheFolder = "", dataFolder = ""] = process.argv.slice(2);
const report = (message) => console.error(message);
const options = { redisUrl: null, env: process.env, cacheFolder, dataFolder, graceMs: 400, report };
const { url } = await ensureRedis(options, new AbortController().signal);
console.log(JSON.stringify(url));
setInterval(() => {}, 1000);
