import { afterEach, describe, expect, test } from "vitest";
import { ProviderError } from "../../src/domain/errors.js";
import type { OcrProvider } from "../../src/domain/provider.js";
import type { Emulator } from "../../src/http/emulate/emulator.js";
import { createHttpClient, type HttpClient } from "../../src/providers/http-client.js";
import { type AnyAuth, AUTH_MODES, createProvider, KNOWN, openEmulator } from "../contract/emulated-vendor.js";
import { drawPicture, preparePicture } from "../contract/pictures.js";

const never = new AbortController().signal;
const picture = preparePicture(drawPicture(7));
const HOUR_MS = 60 * 60 * 1000;
const NOW = Date.UTC(2026, 10, 22, 8, 0, 0);

interface Setting {
  readonly emulator: Emulator;
  readonly http: HttpClient;
  readonly provider: OcrProvider;
  /** The clocks of both sides. */
  readonly time: { here: number; vendor: number };
}
let setting: Setting | undefined;

async function open(auth: AnyAuth, options: Parameters<typeof openEmulator>[0] = {}): Promise<Setting> {
  const time = { here: NOW, vendor: NOW };
  const emulator = await openEmulator(options, { now: () => time.vendor });
  const http = createHttpClient({ connections: 4 });
  const provider = createProvider(auth, { url: emulator.url, http, clock: { now: () => time.here } });
  setting = { emulator, http, provider, time };
  return setting;
}

afterEach(async () => {
  await setting?.provider.close();
  await setting?.emulator.close();
  await setting?.http.close();
  setting = undefined;
});

async function read(provider: OcrProvider): Promise<unknown> {
  await provider.authorize(never);
  return provider.call(provider.encode(picture), never);
}
async function refusal(provider: OcrProvider): Promise<ProviderError> {
  const error = await read(provider).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}

describe.each(AUTH_MODES)("$kind", (auth) => {
  test("is verified by the vendor and let in", async () => {
    const { emulator, provider } = await open(auth);
    await expect(read(provider)).resolves.toMatchObject({ cards: [{}] });
    expect(emulator.totals()).toMatchObject({ calls: 1, answered: 1, byAuth: { [auth.kind]: 1 } });
  });
});

describe("what is wrong is refused, and its setting named", () => {
  test.each<[name: string, auth: AnyAuth, vendorCode: string, setting: RegExp]>([
    ["token", { kind: "token", token: "wrong" }, "APIG.0301", /CARDBATCH_HUAWEI_TOKEN/],
    [
      "secret key",
      { kind: "aksk", accessKey: KNOWN.accessKey, secretKey: "wrong" },
      "APIG.0301",
      /CARDBATCH_HUAWEI_SECRET_KEY/,
    ],
    [
      "access key",
      { kind: "aksk", accessKey: "WRONG", secretKey: KNOWN.secretKey },
      "APIG.0301",
      /CARDBATCH_HUAWEI_ACCESS_KEY/,
    ],
    ["app code", { kind: "appcode", appCode: "wrong" }, "401", /CARDBATCH_SHILIUAI_APP_CODE/],
    [
      "app secret",
      { kind: "signature", appKey: KNOWN.appKey, appSecret: "wrong" },
      "401",
      /CARDBATCH_SHILIUAI_APP_SECRET/,
    ],
    [
      "app key",
      { kind: "signature", appKey: "wrong", appSecret: KNOWN.appSecret },
      "401",
      /CARDBATCH_SHILIUAI_APP_KEY/,
    ],
  ])("%s", async (_name, auth, vendorCode, named) => {
    const { provider } = await open(auth);
    const error = await refusal(provider);
    expect(error).toMatchObject({
      code: "provider-credentials",
      disposition: "stop-provider",
      httpStatus: 401,
      vendorCode,
    });
    expect(error.message).toMatch(named);
    expect(provider.renew).toBeUndefined();
  });

  test("IAM password, which is not sent a second time", async () => {
    const { emulator, provider, time } = await open({ kind: "iam", password: "wrong" });
    const error = await refusal(provider);
    expect(error).toMatchObject({ code: "provider-credentials", disposition: "stop-provider", notSent: true });
    expect(error.message).toMatch(/CARDBATCH_HUAWEI_IAM_PASSWORD/);
    await Promise.all(Array.from({ length: 5 }, () => refusal(provider)));
    await expect(provider.renew?.(never)).rejects.toMatchObject({ code: "provider-credentials" });
    expect(emulator.totals()).toMatchObject({ calls: 0, iam: { issued: 0, refused: 1 } });
    time.here += HOUR_MS;
    await refusal(provider);
    expect(emulator.totals().iam.refused).toBe(2);
  });
});

describe("clocks", () => {
  const signing = AUTH_MODES.filter(({ kind }) => kind === "aksk" || kind === "signature");
  test.each(signing)("$kind: a wrong one here is told from wrong keys", async (auth) => {
    const { provider, time } = await open(auth);
    time.here = NOW + 16 * 60 * 1000;
    expect(await refusal(provider)).toMatchObject({ code: "provider-clock", disposition: "stop-provider" });
    time.here = NOW - 16 * 60 * 1000;
    expect(await refusal(provider)).toMatchObject({ code: "provider-clock" });
    time.here = NOW - 14 * 60 * 1000;
    await expect(read(provider)).resolves.toBeDefined();
  });

  test("a signature is made at the call, not when its body is", async () => {
    const { provider, time } = await open({ kind: "aksk", accessKey: KNOWN.accessKey, secretKey: KNOWN.secretKey });
    const encoded = provider.encode(picture);
    time.here = time.vendor = NOW + 5 * HOUR_MS;
    await expect(provider.call(encoded, never)).resolves.toBeDefined();
  });

  test("temporary keys are signed with their security token", async () => {
    const keys = { accessKey: KNOWN.accessKey, secretKey: KNOWN.secretKey };
    const huawei = { projectId: null, token: null, keys: { ...keys, securityToken: "test-sts" }, iam: null };
    const { provider, emulator, http } = await open({ kind: "aksk", ...keys, securityToken: "test-sts" }, { huawei });
    await expect(read(provider)).resolves.toBeDefined();
    const without = createProvider({ kind: "aksk", ...keys }, { url: emulator.url, http, clock: { now: () => NOW } });
    expect(await refusal(without)).toMatchObject({ code: "provider-credentials" });
  });
});

describe("IAM tokens", () => {
  test("one is fetched for all, kept, and fetched anew before it expires", async () => {
    const { emulator, provider, time } = await open({ kind: "iam" });
    await Promise.all(Array.from({ length: 8 }, () => read(provider)));
    expect(emulator.totals().iam.issued).toBe(1);
    time.here = time.vendor = NOW + 23.9 * HOUR_MS;
    await read(provider);
    expect(emulator.totals().iam.issued).toBe(1);
    time.here = time.vendor = NOW + 23.95 * HOUR_MS;
    await read(provider);
    expect(emulator.totals()).toMatchObject({ iam: { issued: 2 }, byStatus: { 200: 10 } });
  });

  test("one that expired unseen is refused, renewed, and the call goes through", async () => {
    const { emulator, provider, time } = await open({ kind: "iam" }, { tokenLifetimeMs: 60_000 });
    await read(provider);
    time.vendor += 61_000;
    expect(await refusal(provider)).toMatchObject({ code: "provider-token", disposition: "refresh", httpStatus: 401 });
    await provider.renew?.(never);
    await expect(read(provider)).resolves.toBeDefined();
    expect(emulator.totals().iam).toEqual({ issued: 2, refused: 0 });
  });

  test("a clock far ahead here does not fetch one for every call", async () => {
    const { emulator, provider, time } = await open({ kind: "iam" });
    time.here = NOW + 48 * HOUR_MS;
    await read(provider);
    await read(provider);
    expect(emulator.totals().iam.issued).toBe(1);
  });

  test.each([
    [{ kind: "status", status: 503 }, "provider-unavailable"],
    [{ kind: "status", status: 429 }, "provider-throttled"],
    [{ kind: "status", status: 404 }, "provider-config"],
    [{ kind: "reset-after" }, "provider-unavailable"],
    [{ kind: "html" }, "provider-unavailable"],
    [{ kind: "empty" }, "provider-unavailable"],
  ])("when IAM meets %j it is %s, and no call", async (fault, code) => {
    const { emulator, provider } = await open({ kind: "iam" });
    emulator.setFaults({ rules: [{ on: "iam", do: fault, times: 1 }] });
    expect(await refusal(provider)).toMatchObject({ code, notSent: true, uncertain: false, billable: false });
    expect(emulator.totals().calls).toBe(0);
    await expect(read(provider)).resolves.toBeDefined();
  });

  test("who stops waiting for one does not stop the others", async () => {
    const { emulator, provider } = await open({ kind: "iam" });
    emulator.setFaults({ rules: [{ on: "iam", do: { kind: "delay", ms: 50 } }] });
    const stop = new AbortController();
    const stopped = provider.authorize(stop.signal);
    const other = read(provider);
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ code: "cancelled", uncertain: false });
    await expect(other).resolves.toBeDefined();
    expect(emulator.totals().iam.issued).toBe(1);
  });
});
