import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pLimit from "p-limit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspectPage } from "../../src/image/inspect-page.js";
import { createHttpClient } from "../../src/providers/http-client.js";
import { createHuaweiProvider } from "../../src/providers/huawei/huawei-provider.js";
import { createShiliuaiProvider } from "../../src/providers/shiliuai/shiliuai-provider.js";
import { callerSettings, EMULATOR_CREDENTIALS, IS_LONG, openPlace, type Place, readOut } from "../helpers/cli.js";
import { type RunningServer, startServe } from "../helpers/serve.js";

const SAMPLES = fileURLToPath(new URL("../../samples/flat", import.meta.url));
const REQUESTS = IS_LONG ? 1000 : 24;
const CONCURRENCY = 8;

let place: Place;
let server: RunningServer;
beforeAll(async () => {
  place = openPlace();
  expect((await place.run(["keys", "init"])).code).toBe(0);
  server = await startServe(place, [], EMULATOR_CREDENTIALS);
});
afterAll(() => place.close());

test("an archive that is sent to it as to the vendor ends as with the engine itself, every call answered", async () => {
  const { provider, env } = callerSettings(server.url, "aksk");
  const patient = { ...env, CARDBATCH_HUAWEI_RATE: "1000", CARDBATCH_HUAWEI_THRESHOLD: "0" };
  const sent = await place.run(["run", SAMPLES, "--provider", provider, "--out", "sent"], patient);
  expect(sent.code).toBe(0);
  expect((await place.run(["run", SAMPLES, "--provider", "local", "--out", "read"])).code).toBe(0);
  const numbers = (out: string) => {
    const lines = readOut(place.path(out)).all.map(({ image, cards }) => [image.source, cards[0]?.number?.masked]);
    return Object.fromEntries(lines) as Record<string, string | undefined>;
  };
  expect(numbers("sent")).toEqual(numbers("read"));
  expect(Object.keys(numbers("sent")).length).toBe(readdirSync(SAMPLES).length);
});

const { CARDBATCH_HUAWEI_PROJECT_ID: projectId = "" } = EMULATOR_CREDENTIALS;
const modes = {
  token: { kind: "token", token: "test-token" },
  aksk: { kind: "aksk", accessKey: "test-access-key", secretKey: "test-secret-key" },
  appcode: { kind: "appcode", appCode: "test-app-code" },
  signature: { kind: "signature", appKey: "test-app-key", appSecret: "test-app-secret" },
} as const;

test.each(Object.values(modes))(
  `${REQUESTS} requests at concurrency ${CONCURRENCY} by $kind: no error`,
  { timeout: 600_000 },
  async (auth) => {
    const http = createHttpClient({ connections: CONCURRENCY });
    const deps = { clock: Date, http };
    const common = { endpoint: server.url, timeoutMs: 60_000 };
    const provider =
      auth.kind === "token" || auth.kind === "aksk"
        ? createHuaweiProvider({ ...common, projectId, auth }, deps)
        : createShiliuaiProvider({ ...common, auth }, deps);
    const files = readdirSync(SAMPLES).map((name) => readFileSync(join(SAMPLES, name)));
    const encoded = files.map((bytes) => {
      const { format, width, height } = inspectPage(bytes, 0);
      return provider.encode({ bytes, format, width, height, pixelsPerSentPixel: 1, untouched: true });
    });
    const limit = pLimit(CONCURRENCY);
    const calls = Array.from({ length: REQUESTS }, (_, i) =>
      limit(() => provider.call(encoded[i % encoded.length] as (typeof encoded)[number], AbortSignal.timeout(600_000))),
    );
    const answers = await Promise.all(calls);
    const isRead = answers.map(({ cards }) => cards[0]?.number != null);
    expect(isRead).toEqual(answers.map((_, i) => isRead[i % files.length]));
    expect(isRead.filter(Boolean).length).toBeGreaterThan(REQUESTS / 2);
    await http.close();
  },
);
