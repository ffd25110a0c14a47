import { afterEach, expect, test } from "vitest";
import type { CheckStep, OcrProvider } from "../../src/domain/provider.js";
import type { Emulator } from "../../src/http/emulate/emulator.js";
import { createHttpClient, type HttpClient } from "../../src/providers/http-client.js";
import { type AnyAuth, AUTH_MODES, createProvider, KNOWN, openEmulator } from "../contract/emulated-vendor.js";
import { drawPicture, preparePicture } from "../contract/pictures.js";

const picture = preparePicture(drawPicture(5));
const aksk: AnyAuth = { kind: "aksk", accessKey: KNOWN.accessKey, secretKey: KNOWN.secretKey };
let emulator: Emulator | undefined;
let http: HttpClient | undefined;

async function open(auth: AnyAuth, over: { clock?: { now(): number }; url?: string } = {}): Promise<OcrProvider> {
  emulator = await openEmulator();
  http = createHttpClient({ connections: 2, connectTimeoutMs: 500 });
  return createProvider(auth, { url: emulator.url, http, timeoutMs: 2000, ...over });
}
afterEach(async () => {
  await emulator?.close();
  await http?.close();
});

async function steps(provider: OcrProvider, image = null as typeof picture | null): Promise<CheckStep[]> {
  const seen: CheckStep[] = [];
  for await (const step of provider.check(image, new AbortController().signal)) seen.push(step);
  return seen;
}
const outline = (seen: CheckStep[]) => seen.map(({ name, ok }) => `${name} ${ok ? "ok" : "FAILED"}`);

const NETWORK = ["endpoint ok", "proxy ok", "dns ok", "connection ok", "clock ok"];
const IAM = NETWORK.map((step) => `iam ${step}`);

test.each(AUTH_MODES)("$kind: all is well, down to the picture", async (auth) => {
  const seen = await steps(await open(auth), picture);
  const isHuawei = auth.kind !== "appcode" && auth.kind !== "signature";
  const account = isHuawei ? ["credentials ok", "subscription ok"] : ["credentials ok"];
  expect(outline(seen)).toEqual([...NETWORK, ...(auth.kind === "iam" ? IAM : []), ...account, "image ok"]);
  expect(seen.at(-1)?.detail).toMatch(/^\d{6}\*{9}\d{4}; \d+ ms, request id \S+$/);
  expect(emulator?.totals().billable, "only the picture is charged").toBe(1);
});

test("without a picture nothing is charged", async () => {
  expect(outline(await steps(await open(aksk)))).toEqual([...NETWORK, "credentials ok", "subscription ok"]);
  expect(emulator?.totals().billable).toBe(0);
});

test.each<[name: string, over: Parameters<typeof open>[1], failed: string, names: RegExp]>([
  ["nobody listens", { url: "http://127.0.0.1:1" }, "connection", /CARDBATCH_HUAWEI_ENDPOINT/],
  ["an unknown host", { url: "https://no-such-host.invalid" }, "dns", /CARDBATCH_HUAWEI_ENDPOINT/],
  ["a wrong clock", { clock: { now: () => Date.now() - 3_600_000 } }, "clock", /3\d\d\d s behind .*clock/],
])("%s: it stops there and names the setting", async (_name, over, failed, names) => {
  const last = (await steps(await open(aksk, over), picture)).at(-1);
  expect(last).toMatchObject({ name: failed, ok: false, detail: expect.stringMatching(names) });
});

test.each<[auth: AnyAuth, names: RegExp]>([
  [{ kind: "token", token: "wrong" }, /CARDBATCH_HUAWEI_TOKEN/],
  [{ kind: "aksk", accessKey: KNOWN.accessKey, secretKey: "wrong" }, /CARDBATCH_HUAWEI_SECRET_KEY/],
  [{ kind: "iam", password: "wrong" }, /CARDBATCH_HUAWEI_IAM_PASSWORD/],
  [{ kind: "appcode", appCode: "wrong" }, /CARDBATCH_SHILIUAI_APP_CODE/],
  [{ kind: "signature", appKey: KNOWN.appKey, appSecret: "wrong" }, /CARDBATCH_SHILIUAI_APP_SECRET/],
])("wrong credentials, $kind: it stops there and names the setting", async (auth, names) => {
  const last = (await steps(await open(auth), picture)).at(-1);
  expect(last).toMatchObject({ name: "credentials", ok: false, detail: expect.stringMatching(names) });
});

test("not subscribed: it says so, and where the vendor offers it", async () => {
  const provider = await open(aksk);
  emulator?.setFaults({ rules: [{ do: { kind: "status", status: 400, code: "ModelArts.4204" } }] });
  const last = (await steps(provider, picture)).at(-1);
  expect(last).toMatchObject({
    name: "subscription",
    ok: false,
    detail: expect.stringMatching(/PROJECT_ID.*cn-north-4/),
  });
});

test("a picture that cannot be read is told as what it is", async () => {
  const small = { ...preparePicture(drawPicture(1, 15, 15)), bytes: drawPicture(1, 14, 14) };
  const last = (await steps(await open(aksk), small)).at(-1);
  expect(last).toMatchObject({ name: "image", ok: false, detail: expect.stringContaining("AIS.0103") });
});
