import { expect, test } from "vitest";
import { ProviderError } from "../../src/domain/errors.js";
import type { FaultsInput } from "../../src/http/emulate/faults.js";
import { createHttpClient } from "../../src/providers/http-client.js";
import { AUTH_MODES, createProvider, openEmulator } from "../contract/emulated-vendor.js";
import { drawPicture, preparePicture } from "../contract/pictures.js";

const CALLS = 400;
const CONCURRENCY = 16;
const MIX: FaultsInput = {
  seed: 11,
  rules: [
    { probability: 0.2, do: { kind: "status", status: 503 } },
    { probability: 0.1, do: { kind: "status", status: 429, retryAfter: "1" } },
    { probability: 0.05, do: { kind: "reset-before" } },
    { probability: 0.05, do: { kind: "reset-after" } },
    { probability: 0.05, do: { kind: "truncated", how: "cut" } },
    { probability: 0.05, do: { kind: "truncated", how: "length" } },
    { probability: 0.05, do: { kind: "html" } },
    { probability: 0.05, do: { kind: "delay", ms: 20, jitterMs: 20 } },
  ],
};

test.each(AUTH_MODES)("$kind: under a mix of faults, what it counts is what the vendor counts", async (auth) => {
  const emulator = await openEmulator({ faults: MIX });
  const http = createHttpClient({ connections: CONCURRENCY });
  const provider = createProvider(auth, { url: emulator.url, http });
  const counted = { calls: 0, answered: 0, billable: 0, uncertain: 0 };
  const never = new AbortController().signal;
  await provider.authorize(never);

  async function callNext(): Promise<void> {
    while (counted.calls < CALLS) {
      const image = preparePicture(drawPicture(counted.calls++));
      const outcome = await provider
        .call(provider.encode(image), never)
        .catch((error: unknown) => error as ProviderError);
      counted.billable += Number(outcome.billable);
      if (outcome instanceof ProviderError) counted.uncertain += Number(outcome.uncertain);
      else counted.answered++;
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, callNext));

  expect(emulator.totals()).toMatchObject({ ...counted, pending: 0, images: expect.any(Number) });
  expect(counted.answered).toBeGreaterThan(CALLS / 3);
  expect(counted.uncertain).toBeGreaterThan(10);
  await provider.close();
  await emulator.close();
  await http.close();
});
