/**
 * The contract test against the vendors themselves, and their `check`: `npm run test:live`. For whom it has credentials
 * (the variables that a run takes) and a picture of one card:
 *
 *   CARDBATCH_LIVE_IMAGE=card.jpg CARDBATCH_HUAWEI_ENDPOINT=… CARDBATCH_HUAWEI_PROJECT_ID=… … npm run test:live
 *
 * Costs six calls a vendor. Without them it says so and does nothing.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { buildProvider } from "../../src/app/providers.js";
import { environment, loadConfig } from "../../src/config/load-config.js";
import { ConfigError } from "../../src/domain/errors.js";
import { createHttpClient } from "../../src/providers/http-client.js";
import { preparePicture } from "../contract/pictures.js";
import { type OpenSubject, testProvider } from "../contract/provider-contract.js";

const CONNECTIONS = 2;
const imagePath = environment().CARDBATCH_LIVE_IMAGE;

async function open(name: "huawei" | "shiliuai"): Promise<OpenSubject> {
  const config = loadConfig(environment(), undefined);
  const { httpsProxy, noProxy } = config;
  const http = createHttpClient({ connections: CONNECTIONS, httpsProxy, noProxy });
  const noEngine = () => {
    throw new Error("no vendor needs an engine");
  };
  const provider = buildProvider(name, config, { http, engine: noEngine });
  return {
    provider,
    pictures: { card: preparePicture(await readFile(imagePath ?? "")) },
    parallelCalls: CONNECTIONS,
    // Nobody told us the number.
    isRight: (number) => number.isCardLength,
    async close() {
      await provider.close();
      await http.close();
    },
  };
}

/** Why this vendor cannot be tried here; null: it can. */
async function obstacle(name: "huawei" | "shiliuai"): Promise<string | null> {
  if (imagePath === undefined) return "CARDBATCH_LIVE_IMAGE is not set";
  try {
    await (await open(name)).close();
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

for (const name of ["huawei", "shiliuai"] as const) {
  const reason = await obstacle(name);
  if (reason !== null) {
    console.log(`${name} is not tried: ${reason}`);
    describe.skip(name, () => test("the contract", () => {}));
    continue;
  }
  testProvider({ title: `${name}, live`, name, open: () => open(name) });
  test(`${name}, live: check`, async () => {
    const { provider, pictures, close } = await open(name);
    for await (const step of provider.check(pictures.card, new AbortController().signal)) {
      console.log(`${step.ok ? "ok    " : "FAILED"} ${step.name}: ${step.detail}`);
      expect(step.ok, step.detail).toBe(true);
    }
    await close();
  });
}
