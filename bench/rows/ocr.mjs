import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import pLimit from "p-limit";
import { round } from "../lib/figures.mjs";
import { ACCOUNT, TOKEN } from "../lib/place.mjs";

const CONCURRENCY = 8;
const AT_A_TIME = 50;
const SAMPLES = ["flat", "embossed"];
const CODE = "bench-app-code";
const KEY = { appKey: "bench-app-key", appSecret: "bench-app-secret" };
const SETTINGS = {
  CARDBATCH_HUAWEI_TOKEN: TOKEN,
  CARDBATCH_SHILIUAI_APP_CODE: CODE,
  CARDBATCH_SHILIUAI_APP_KEY: KEY.appKey,
  CARDBATCH_SHILIUAI_APP_SECRET: KEY.appSecret,
};
const WAYS = [
  { kind: "token", token: TOKEN },
  { kind: "aksk", ...ACCOUNT },
  { kind: "appcode", appCode: CODE },
  { kind: "signature", ...KEY },
];

/** `serve` in a vendor's place beside the embedded engine alone, on as many threads; the client runs on the same cores. */
export const ocrRow = {
  name: "ocr",
  what: "OCR server in a vendor's place, against the engine alone",
  measure: async (place, { ocrRequests }) => {
    const pictures = readSamples();
    const { createEnginePool } = await place.load("engine/pool.js");
    const engine = createEnginePool({ threads: availableParallelism() });
    const readAlone = (i) => engine.read(pictures[i % pictures.length]);
    const server = place.start(["serve"], SETTINGS);
    const http = (await place.load("providers/http-client.js")).createHttpClient({ connections: CONCURRENCY });
    try {
      await once(server.child.stdout, "data");
      const { listening } = JSON.parse(server.output.stdout.split("\n")[0]);
      await measure(4 * CONCURRENCY, readAlone);
      const rounds = [];
      for (const way of WAYS) {
        const call = await openCaller(place, way, { endpoint: listening, pictures, http });
        await measure(4 * CONCURRENCY, call);
        const seconds = { alone: 0, served: 0 };
        // In turns, so that the machine's moods meet both.
        for (let done = 0; done < ocrRequests; done += AT_A_TIME) {
          seconds.alone += await measure(AT_A_TIME, readAlone);
          seconds.served += await measure(AT_A_TIME, call);
        }
        const [alone, served] = [ocrRequests / seconds.alone, ocrRequests / seconds.served];
        rounds.push({ way: way.kind, alone: round(alone), served: round(served), ratio: round(served / alone, 3) });
      }
      const least = Math.min(...rounds.map(({ ratio }) => ratio));
      const alone = rounds.map(({ alone }) => alone.toFixed(1)).join(", ");
      return {
        value: least,
        measured: `${least.toFixed(2)} × (${rounds.map(({ way, served, ratio }) => `${way} ${served.toFixed(1)}/s ${ratio.toFixed(2)}`).join(", ")})`,
        beside: `the engine alone ${alone}/s, ${ocrRequests} requests each at concurrency ${CONCURRENCY}`,
        goal: "≥ 0.8 ×",
        met: least >= 0.8,
        rounds,
      };
    } finally {
      await http.close();
      await engine.close();
      server.kill("SIGTERM");
      await server.done;
    }
  },
};

function readSamples() {
  const folders = SAMPLES.map((name) => new URL(`../../samples/${name}/`, import.meta.url));
  return folders.flatMap((folder) =>
    readdirSync(folder).map((name) => readFileSync(fileURLToPath(new URL(name, folder)))),
  );
}

/** A client of the vendor, as anybody would have it: signs each call, sends it, reads the answer. */
async function openCaller(place, auth, { endpoint, pictures, http }) {
  const { createHuaweiProvider } = await place.load("providers/huawei/huawei-provider.js");
  const { createShiliuaiProvider } = await place.load("providers/shiliuai/shiliuai-provider.js");
  const { inspectPage } = await place.load("image/inspect-page.js");
  const options = { endpoint, auth, timeoutMs: 60_000, projectId: ACCOUNT.project };
  const create = "appCode" in auth || "appKey" in auth ? createShiliuaiProvider : createHuaweiProvider;
  const provider = create(options, { clock: Date, http });
  const encoded = pictures.map((bytes) => {
    const { format, width, height } = inspectPage(bytes, 0);
    return provider.encode({ bytes, format, width, height, pixelsPerSentPixel: 1, untouched: true });
  });
  return (i) => provider.call(encoded[i % encoded.length], AbortSignal.timeout(60_000));
}

/** @returns how many seconds `count` of them took; the first that fails ends it */
async function measure(count, act) {
  const limit = pLimit(CONCURRENCY);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: count }, (_, i) => limit(() => act(i))));
  return (performance.now() - startedAt) / 1000;
}
