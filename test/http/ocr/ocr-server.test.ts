import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import type { CardEngine, EngineReading } from "../../../src/domain/card-engine.js";
import { CancelledError } from "../../../src/domain/errors.js";
import { revealPan } from "../../../src/domain/pan.js";
import { engineError } from "../../../src/engine/engine-error.js";
import { createOcrServer } from "../../../src/http/ocr/ocr-server.js";
import { registerOcr } from "../../../src/http/ocr/register.js";
import { closeServer, createServer, DEFAULT_LIMITS, listen } from "../../../src/http/serve/server.js";
import { createHttpClient } from "../../../src/providers/http-client.js";
import { createHuaweiServer } from "../../../src/providers/huawei/server.js";
import { createShiliuaiServer } from "../../../src/providers/shiliuai/server.js";
import { type AnyAuth, AUTH_MODES, createProvider, KNOWN, PROJECT_ID } from "../../contract/emulated-vendor.js";
import { drawPicture, preparePicture } from "../../contract/pictures.js";
import { cardNumber } from "../../helpers/card-numbers.js";

const HUAWEI = `/v2/${PROJECT_ID}/ocr/bankcard`;
const SHILIUAI = "/api/bank_card_ocr/v1";
const byToken = { "content-type": "application/json", "x-auth-token": KNOWN.token };
const byCode = { "content-type": "application/json", authorization: `APPCODE ${KNOWN.appCode}` };
const NUMBER = cardNumber("622848", 19);
const QUAD = [
  { x: 10.4, y: 20.6 },
  { x: 110, y: 20 },
  { x: 110, y: 40 },
  { x: 10, y: 40 },
] as const;
const READ: EngineReading = {
  cards: [
    {
      number: { text: NUMBER, confidence: 0.98765432, keypoints: QUAD },
      issueDate: null,
      expiryDate: { text: "12/30", confidence: 0.9, keypoints: QUAD },
      quad: null,
      direction: 0,
      quality: { blur: null, glare: null, cutEdge: false },
    },
  ],
};

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The server as `serve` has it, with an engine that answers as the test says. */
async function openServer(read: CardEngine["read"] = async () => READ, mostInHand = 40): Promise<string> {
  const { token, accessKey, secretKey, appCode, appKey, appSecret } = KNOWN;
  const keys = { accessKey, secretKey, securityToken: null };
  const vendors = [
    createHuaweiServer({ projectId: PROJECT_ID, token, keys, iamToken: null }),
    createShiliuaiServer({ appCode, keys: { appKey, appSecret } }),
  ];
  const engine: CardEngine = { read, close: async () => {} };
  const ocr = createOcrServer({ mostInHand }, { vendors, engine: () => engine, now: () => Date.now() });
  const server: FastifyInstance = createServer({ limits: DEFAULT_LIMITS, onFault: () => {}, onServed: () => {} });
  await server.register(async (scope) => registerOcr(scope, ocr));
  closers.push(() => closeServer(server));
  return listen(server, "127.0.0.1", 0);
}

async function post(url: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const reply = await fetch(url, { method: "POST", headers, body: text, ...(signal === undefined ? {} : { signal }) });
  const json = (await reply.json()) as Record<string, unknown>;
  return { status: reply.status, headers: reply.headers, body: json };
}

const picture = (seed = 1) => drawPicture(seed, 400, 250).toString("base64");

test("huawei's answer is the one of its page", async () => {
  const url = (await openServer()) + HUAWEI;
  const { status, headers, body } = await post(url, { image: picture(), return_text_location: true }, byToken);
  expect(status).toBe(200);
  expect(headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
  const corners = [
    [10, 21],
    [110, 20],
    [110, 40],
    [10, 40],
  ];
  expect(body).toEqual({
    result: {
      bank_name: "中国农业银行",
      card_number: NUMBER.replace(/\d{4}(?=\d)/g, "$& "),
      issue_date: "",
      expiry_date: "12/30",
      type: "借记卡",
      confidence: { bank_name: 0.9877, card_number: 0.9877, issue_date: 0, expiry_date: 0.9, type: 0.9877 },
      text_location: { card_number: corners, expiry_date: corners },
    },
  });
  const without = await post(url, { image: picture() }, byToken);
  expect(without.body.result).not.toHaveProperty("text_location");
});

test("shiliuai's answer is the one of its page", async () => {
  const { status, body } = await post((await openServer()) + SHILIUAI, { image_base64: picture() }, byCode);
  expect(status).toBe(200);
  const card = { number: NUMBER, prob: 0.9877, name: "中国农业银行", type: "借记卡" };
  expect(body).toEqual({
    code: 200,
    msg: "OK",
    msg_cn: "成功",
    success: true,
    request_id: expect.stringMatching(/^[\w-]{36}$/),
    data: { content: [{ ...card, keypoints: [{ x: 10, y: 21 }, ...QUAD.slice(1)] }] },
  });
});

describe("a client of a vendor only changes the address", () => {
  const modes = AUTH_MODES.filter(({ kind }) => kind !== "iam");
  test.each(modes)("by $kind", async (auth) => {
    const url = await openServer();
    const http = createHttpClient({ connections: 4 });
    closers.push(() => http.close());
    const provider = createProvider(auth, { url, http });
    const image = preparePicture(drawPicture(1, 400, 250));
    const { cards } = await provider.call(provider.encode(image), AbortSignal.timeout(10_000));
    expect(cards[0]?.number && revealPan(cards[0].number)).toBe(NUMBER);
    const wrong = Object.fromEntries(
      Object.entries(auth).map(([name, value]) => [name, name === "kind" ? value : `${value}x`]),
    );
    const stranger = createProvider(wrong as unknown as AnyAuth, { url, http });
    await expect(stranger.call(stranger.encode(image), AbortSignal.timeout(10_000))).rejects.toMatchObject({
      disposition: expect.stringMatching(/stop-provider|refresh/),
    });
  });

  test("by a signature whose time is in seconds, as one of the vendor's samples has it", async () => {
    const { shiliuaiSignature } = await import("../../../src/providers/shiliuai/signature.js");
    const seconds = Math.floor(Date.now() / 1000);
    const signature = shiliuaiSignature(KNOWN.appKey, seconds, KNOWN.appSecret);
    const headers = { "x-ca-key": KNOWN.appKey, "x-ca-timestamp": String(seconds), "x-ca-signature": signature };
    const { status } = await post((await openServer()) + SHILIUAI, { image_base64: picture() }, headers);
    expect(status).toBe(200);
  });
});

describe("is refused in the vendor's words:", () => {
  const tiny = drawPicture(1, 14, 40).toString("base64");
  const junk = Buffer.from("no picture").toString("base64");
  test.each<[string, string, unknown, Record<string, string>, number, string]>([
    ["another project", HUAWEI.replace("0", "1"), { image: picture() }, byToken, 404, "APIG.0101"],
    ["no token", HUAWEI, { image: picture() }, {}, 401, "ModelArts.4101"],
    ["another token", HUAWEI, { image: picture() }, { "x-auth-token": "x" }, 401, "APIG.0301"],
    ["no JSON", HUAWEI, "image=", byToken, 400, "ModelArts.4105"],
    ["neither image nor url", HUAWEI, {}, byToken, 400, "AIS.0101"],
    ["both of them", HUAWEI, { image: picture(), url: "https://a/" }, byToken, 400, "AIS.0101"],
    ["a url", HUAWEI, { url: "https://a.example/b.jpg" }, byToken, 400, "ModelArts.4601"],
    ["a wrong boolean", HUAWEI, { image: picture(), return_text_location: "yes" }, byToken, 400, "AIS.0101"],
    ["no base64", HUAWEI, { image: "&&&&" }, byToken, 400, "AIS.0102"],
    ["no picture", HUAWEI, { image: junk }, byToken, 400, "AIS.0102"],
    ["a picture too small", HUAWEI, { image: tiny }, byToken, 400, "AIS.0103"],
    ["more than 10 MB", HUAWEI, { image: "A".repeat(10_000_004) }, byToken, 400, "ModelArts.4104"],
    ["more than the gateway takes", HUAWEI, { image: "A".repeat(12.5 * 1024 * 1024) }, byToken, 413, "APIG.0201"],
    ["no code", SHILIUAI, { image_base64: picture() }, {}, 401, "401"],
    ["another code", SHILIUAI, { image_base64: picture() }, { authorization: "APPCODE x" }, 401, "401"],
    ["no JSON", SHILIUAI, "[]", byCode, 400, "400"],
    ["neither image nor url", SHILIUAI, {}, byCode, 400, "400"],
    ["a url", SHILIUAI, { image_url: "https://a.example/b.jpg" }, byCode, 400, "400"],
    ["no picture", SHILIUAI, { image_base64: junk }, byCode, 400, "400"],
    ["a picture too small", SHILIUAI, { image_base64: tiny }, byCode, 400, "400"],
    ["20 MB", SHILIUAI, { image_base64: "A".repeat(20_000_000) }, byCode, 400, "400"],
  ])("%s", async (_what, path, body, headers, status, code) => {
    const refused = await post((await openServer()) + path, body, headers);
    expect(refused.status).toBe(status);
    expect(String(refused.body.error_code ?? refused.body.code)).toBe(code);
    expect(JSON.stringify(refused.body)).not.toMatch(/at .*\.(js|ts)/);
  });
});

test.each([
  ["a broken picture", engineError("engine-image", "cannot be decoded"), 400],
  ["a fault of ours", new Error("a secret of ours"), 500],
])("%s", async (_what, error, status) => {
  const url = await openServer(() => Promise.reject(error));
  const huawei = await post(url + HUAWEI, { image: picture() }, byToken);
  const shiliuai = await post(url + SHILIUAI, { image_base64: picture() }, byCode);
  expect([huawei.status, shiliuai.status]).toEqual([status, status]);
  expect(shiliuai.body).toMatchObject({ code: status, success: false, data: {} });
  expect(JSON.stringify([huawei.body, shiliuai.body])).not.toContain("secret of ours");
});

test("who comes while all places are taken is throttled in the vendor's words, and let in once one is free", async () => {
  let finish = () => {};
  let waiting = 0;
  const busy = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const url = await openServer(async () => {
    waiting++;
    await busy;
    return READ;
  }, 2);
  const first = [1, 2].map((seed) => post(url + HUAWEI, { image: picture(seed) }, byToken));
  await expect.poll(() => waiting).toBe(2);
  const huawei = await post(url + HUAWEI, { image: picture() }, byToken);
  expect(huawei).toMatchObject({ status: 429, body: { error_code: "APIG.0308" } });
  expect(huawei.headers.get("retry-after")).toBe("1");
  expect(await post(url + SHILIUAI, { image_base64: picture() }, byCode)).toMatchObject({ status: 429 });
  finish();
  for (const one of await Promise.all(first)) expect(one.status).toBe(200);
  expect((await post(url + HUAWEI, { image: picture() }, byToken)).status).toBe(200);
});

test("a picture whose sender hangs up is not read to its end", async () => {
  const given: AbortSignal[] = [];
  const url = await openServer((_image, signal) => {
    if (signal === undefined) throw new Error("no signal");
    given.push(signal);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new CancelledError())));
  }, 1);
  const hangUp = new AbortController();
  const asked = post(url + HUAWEI, { image: picture() }, byToken, hangUp.signal).catch(() => "gone");
  await expect.poll(() => given.length).toBe(1);
  hangUp.abort();
  expect(await asked).toBe("gone");
  await expect.poll(() => given[0]?.aborted).toBe(true);
  const next = post(url + HUAWEI, { image: picture() }, byToken, AbortSignal.timeout(500)).catch(() => "gone");
  await expect.poll(() => given.length).toBe(2);
  expect(await next).toBe("gone");
});
