import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Pool } from "undici";
import { alternate, median, medianRatio, quantile, round } from "../lib/figures.mjs";

const IMAGE_BYTES = 200_000;
const AT_A_TIME = 8;
const WARM_UP = 50;
const BOUNDARY = "bench-boundary";

/** Images that come over HTTP, beside a route that only encrypts the same bytes to disk. Nobody works on them meanwhile. */
export const postRow = {
  name: "post",
  what: "POST /v1/images with 200 kB",
  measure: async (place, scale) => {
    await place.forget();
    const added = await place.run(["keys", "api", "add", "--name", "bench", "--rate", "100000"]);
    const { key } = JSON.parse(added.stdout);
    const staging = { CARDBATCH_STAGING: join(place.folder, "staging") };
    const serve = place.start(["serve", "--provider", "local", "--backlog", "100000000"], staging);
    const folder = join(place.folder, "plain-images");
    mkdirSync(folder);
    const plain = place.startScript("accept-images.mjs", { folder });
    const [ours, bare] = [await clientOf(serve, "/v1/images", key), await clientOf(plain, "/", key)];
    for (const send of [ours, bare]) await sendMany(send, WARM_UP);
    const [plainly, taken] = await alternate(
      scale.rounds,
      () => sendMany(bare, scale.posts),
      () => sendMany(ours, scale.posts),
    );
    for (const command of [serve, plain]) {
      command.kill("SIGTERM");
      await command.done;
    }
    const tell = (rounds) =>
      `p99 ${median(rounds.map(({ p99 }) => p99)).toFixed(0)} ms, ${median(rounds.map(({ perSecond }) => perSecond)).toFixed(0)}/s`;
    const ratio = medianRatio(taken, plainly, ({ perSecond }) => perSecond);
    return {
      value: round(ratio),
      measured: `${tell(taken)} = ${ratio.toFixed(2)} ×`,
      beside: `bare fastify that encrypts it to disk and syncs: ${tell(plainly)}`,
      goal: "both",
      met: null,
      rounds: { taken, plainly },
    };
  },
};

/** Sends one image, of other bytes each time. */
async function clientOf(command, path, key) {
  if (command.output.stdout === "") await once(command.child.stdout, "data");
  const { listening } = JSON.parse(command.output.stdout.split("\n")[0]);
  const pool = new Pool(listening, { connections: AT_A_TIME });
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(head),
    Buffer.from([0xff, 0xd8, 0xff]),
    randomBytes(IMAGE_BYTES - 3),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
  const at = head.length + 16;
  let count = 0;
  return async () => {
    const own = Buffer.from(body);
    own.writeUInt32BE(count++, at);
    const headers = { authorization: `Bearer ${key}`, "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
    const response = await pool.request({ path, method: "POST", headers, body: own });
    const text = await response.body.text();
    if (response.statusCode !== 202) throw new Error(`${response.statusCode} ${text}`);
  };
}

/** @returns milliseconds that 99 % did not exceed, and how many a second */
async function sendMany(send, count) {
  const times = [];
  const startedAt = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (left-- > 0) {
        const sentAt = performance.now();
        await send();
        times.push(performance.now() - sentAt);
      }
    }),
  );
  return { p99: quantile(times, 0.99), perSecond: (1000 * times.length) / (performance.now() - startedAt) };
}
