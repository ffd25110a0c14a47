import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CardbatchError, ImageError } from "../../../src/domain/errors.js";
import { createEmulator, type Emulator } from "../../../src/http/emulate/emulator.js";
import type { EmulatorOptions } from "../../../src/http/emulate/options.js";
import { KNOWN, openEmulator, PROJECT_ID } from "../../contract/emulated-vendor.js";
import { drawPicture, inspectPicture } from "../../contract/pictures.js";

const HUAWEI = `/v2/${PROJECT_ID}/ocr/bankcard`;
const SHILIUAI = "/api/bank_card_ocr/v1";
const json = { "content-type": "application/json" };
const byToken = { ...json, "x-auth-token": KNOWN.token };
const byCode = { ...json, authorization: `APPCODE ${KNOWN.appCode}` };
const keyOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

let emulator: Emulator;
const extra: Emulator[] = [];
beforeAll(async () => {
  emulator = await openEmulator();
});
afterEach(async () => {
  emulator.reset();
  for (const one of extra.splice(0)) await one.close();
});
afterAll(() => emulator.close());

async function another(options: EmulatorOptions): Promise<Emulator> {
  const one = await openEmulator(options);
  extra.push(one);
  return one;
}

async function post(path: string, body: unknown, headers: Record<string, string> = byToken, to = emulator) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const reply = await fetch(to.url + path, { method: "POST", headers, body: text });
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as Record<string, unknown> };
}
const get = async (path: string) => (await fetch(emulator.url + path)).json() as Promise<Record<string, unknown>>;
const base64 = (bytes: Buffer) => bytes.toString("base64");

describe("huawei", () => {
  test("answers as the vendor's page shows it", async () => {
    const { status, headers, body } = await post(HUAWEI, { image: base64(drawPicture(1)) });
    expect(status).toBe(200);
    expect(headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
    expect(body).toEqual({
      result: {
        bank_name: expect.stringMatching(/银行$/),
        card_number: expect.stringMatching(/^\d{4} \d{4} \d{4} \d{4} \d{3}$/),
        issue_date: expect.stringMatching(/^\d\d\/\d\d$/),
        expiry_date: expect.stringMatching(/^\d\d\/\d\d$/),
        type: "借记卡",
        confidence: { bank_name: 0.9991, card_number: 0.9991, issue_date: 0.9991, expiry_date: 0.9991, type: 0.9991 },
      },
    });
  });

  test("says where on request, and leaves what it did not read empty with confidence 0", async () => {
    const { body } = await post(HUAWEI, { image: base64(drawPicture(1)), return_text_location: true });
    expect(body).toMatchObject({ result: { text_location: { card_number: [[1, 8], [15, 8], [15, 10], [1, 10]] } } }); // biome-ignore format: corners
    const none = await post(HUAWEI, { image: base64(drawPicture(2, 400, 250)) });
    expect(none.body).toMatchObject({ result: { card_number: "", type: "", confidence: { card_number: 0, type: 0 } } });
  });

  test.each<[name: string, body: unknown, status: number, code: string]>([
    ["no JSON", "{", 400, "ModelArts.4105"],
    ["a list", "[]", 400, "ModelArts.4105"],
    ["neither image nor url", {}, 400, "AIS.0101"],
    ["both", { image: "aGVsbG8=", url: "https://a" }, 400, "AIS.0101"],
    ["a wrong switch", { image: base64(drawPicture(1)), return_text_location: "true" }, 400, "AIS.0101"],
    ["a url", { url: "https://example.com/a.jpg" }, 400, "ModelArts.4601"],
    ["no base64", { image: "a-b_" }, 400, "AIS.0102"],
    ["cut base64", { image: "aGVsbG8" }, 400, "AIS.0102"],
    ["no picture", { image: "aGVsbG8=" }, 400, "AIS.0102"],
    ["too small a side", { image: base64(drawPicture(1, 14, 100)) }, 400, "AIS.0103"],
    ["too long a side", { image: base64(drawPicture(1, 15, 8193)) }, 400, "AIS.0103"],
    ["too much", { image: "A".repeat(10_000_004) }, 400, "ModelArts.4104"],
    ["far too much", { image: "A".repeat(13 * 1024 * 1024) }, 413, "APIG.0201"],
  ])("%s is refused in the vendor's words", async (_name, request, status, code) => {
    const got = await post(HUAWEI, request);
    expect(got).toMatchObject({ status, body: { error_code: code, error_msg: expect.any(String) } });
    expect(emulator.totals()).toMatchObject({ calls: 1, billable: 0, answered: 0, byStatus: { [status]: 1 } });
  });

  test.each<[name: string, path: string, headers: Record<string, string>, status: number, code: string]>([
    ["nobody", HUAWEI, json, 401, "ModelArts.4101"],
    ["a wrong token", HUAWEI, { "x-auth-token": "x" }, 401, "APIG.0301"],
    ["a signature that is none", HUAWEI, { authorization: "SDK-HMAC-SHA256 x" }, 401, "APIG.0301"],
    ["another vendor's code", HUAWEI, byCode, 401, "APIG.0301"],
    ["another project", "/v2/other/ocr/bankcard", byToken, 404, "APIG.0101"],
  ])("%s is refused", async (_name, path, headers, status, code) => {
    const got = await post(path, { image: base64(drawPicture(1)) }, headers);
    expect(got).toMatchObject({ status, body: { error_code: code } });
  });
});

describe("huawei's IAM", () => {
  const login = (password: string, scope?: object) => ({
    auth: {
      identity: {
        methods: ["password"],
        password: { user: { name: KNOWN.user, password, domain: { name: KNOWN.domain } } },
      },
      scope,
    },
  });

  test("gives a token in a header, and its end in the body", async () => {
    const { status, headers, body } = await post(
      "/v3/auth/tokens",
      login(KNOWN.password, { project: { id: PROJECT_ID } }),
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({ token: { expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{15}Z$/) } });
    const token = headers.get("x-subject-token") ?? "";
    expect(await post(HUAWEI, { image: base64(drawPicture(1)) }, { "x-auth-token": token })).toMatchObject({
      status: 200,
    });
  });

  test("a token without a project is good for nothing here", async () => {
    const { headers } = await post("/v3/auth/tokens", login(KNOWN.password));
    const token = { "x-auth-token": headers.get("x-subject-token") ?? "" };
    expect(await post(HUAWEI, { image: "" }, token)).toMatchObject({ body: { error_code: "ModelArts.0212" } });
  });

  test("five wrong passwords lock the account", async () => {
    const one = await another({});
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await post("/v3/auth/tokens", login("wrong"), json, one)).toMatchObject({
        status: 401,
        body: { error: { message: expect.stringMatching("wrong") } },
      });
    }
    const right = await post("/v3/auth/tokens", login(KNOWN.password), json, one);
    expect(right).toMatchObject({ status: 401, body: { error: { message: "The account is locked." } } });
  });
});

describe("shiliuai", () => {
  test("answers as the vendor's page shows it", async () => {
    const { status, body } = await post(SHILIUAI, { image_base64: base64(drawPicture(1)) }, byCode);
    expect(status).toBe(200);
    const card = {
      number: expect.stringMatching(/^\d{19}$/),
      prob: 0.9991,
      name: expect.stringMatching(/银行$/),
      type: "借记卡",
    };
    const keypoints = [{ x: 1, y: 8 }, { x: 15, y: 8 }, { x: 15, y: 10 }, { x: 1, y: 10 }]; // biome-ignore format: corners
    const words = { code: 200, msg: "OK", msg_cn: "成功", success: true, request_id: expect.any(String) };
    expect(body).toEqual({ ...words, data: { content: [{ ...card, keypoints }] } });
  });

  test("has several cards in one answer, and an empty one for none", async () => {
    const two = await post(SHILIUAI, { image_base64: base64(drawPicture(3, 400, 250)) }, byCode);
    expect(two.body).toMatchObject({ data: { content: [{}, {}] } });
    expect((await post(SHILIUAI, { image_base64: base64(drawPicture(2, 400, 250)) }, byCode)).body.data).toEqual({});
  });

  test.each<[name: string, body: unknown, headers: Record<string, string>, status: number]>([
    ["no JSON", "x", byCode, 400],
    ["no picture", {}, byCode, 400],
    ["no base64", { image_base64: "é" }, byCode, 400],
    ["too small a side", { image_base64: base64(drawPicture(1, 14, 100)) }, byCode, 400],
    ["nobody", { image_base64: "" }, json, 401],
    ["a wrong code", { image_base64: "" }, { authorization: "APPCODE x" }, 401],
    [
      "seconds for milliseconds",
      { image_base64: "" },
      { "x-ca-key": KNOWN.appKey, "x-ca-timestamp": "1700000000", "x-ca-signature": "0" },
      401,
    ],
  ])("%s is refused", async (_name, request, headers, status) => {
    const { body } = await post(SHILIUAI, request, headers);
    expect(body).toMatchObject({
      code: status,
      success: false,
      data: {},
      msg: expect.any(String),
      msg_cn: expect.any(String),
    });
  });

  test("tells the price of a call to those it knows", async () => {
    expect((await post(`${SHILIUAI}/credit`, {}, byCode)).body).toMatchObject({ code: 200, data: { credit: 1 } });
    expect((await post(`${SHILIUAI}/credit`, {}, json)).status).toBe(401);
    expect(emulator.totals().calls).toBe(0);
  });
});

test.each([
  [new ImageError("image-corrupt", "cut short"), 400, "AIS.0102"],
  [new CardbatchError("engine-image", "cannot decode"), 400, "AIS.0102"],
  [new Error("a fault"), 500, "APIG.0201"],
])("a reader that fails with %s makes %i %s", async (error, status, code) => {
  const read = () => Promise.reject(error);
  const huawei = { projectId: null, token: KNOWN.token, keys: null, iam: null };
  const one = await createEmulator({ huawei }, { clock: Date, read, inspect: inspectPicture });
  extra.push(one);
  const got = await post(HUAWEI, { image: base64(drawPicture(1)) }, byToken, one);
  expect(got).toMatchObject({ status, body: { error_code: code } });
});

describe("the quota", () => {
  const call = (one: Emulator, seed: number) => post(HUAWEI, { image: base64(drawPicture(seed)) }, byToken, one);

  test("admits so many in a second over both vendors, and says 429 as each does", async () => {
    const one = await another({ limit: 5, retryAfter: true });
    const huawei = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((seed) => call(one, seed)));
    const shiliuai = await post(SHILIUAI, { image_base64: base64(drawPicture(9)) }, byCode, one);
    const refused = huawei.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(2);
    expect(refused[0]?.body).toMatchObject({
      error_code: "APIG.0308",
      error_msg: expect.stringContaining("limit:5,time:1 second"),
    });
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(shiliuai).toMatchObject({ status: 429, body: { code: 429, success: false } });
    expect(one.totals()).toMatchObject({ answered: 5, byStatus: { 200: 5, 429: 3 }, maxCallsInAnySecond: 8 });
  });

  test("changes live, and back at a reset", async () => {
    const one = await another({});
    one.setFaults({ rules: [{ calls: { from: 2, to: 2 }, do: { kind: "limit", callsPerSecond: 1 } }] });
    const statuses = [];
    for (let seed = 0; seed < 3; seed++) statuses.push((await call(one, seed)).status);
    expect(statuses).toEqual([200, 429, 429]);
    one.reset();
    expect((await call(one, 9)).status).toBe(200);
  });
});

describe("the oracle", () => {
  test("lists every call in order, in parts, and counts each picture", async () => {
    const [a, b] = [drawPicture(1), drawPicture(2)];
    emulator.setFaults({ rules: [{ calls: { from: 3, to: 3 }, do: { kind: "status", status: 503 } }] });
    await post(HUAWEI, { image: base64(a) });
    await post(SHILIUAI, { image_base64: base64(b) }, byCode);
    await post(HUAWEI, { image: base64(a) });
    await post(HUAWEI, "{");
    const report = await get("/__calls");
    const times = (report.calls as { at: number }[]).map(({ at }) => at);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(report.calls).toMatchObject([
      { provider: "huawei", image: keyOf(a), status: 200, billable: true, answered: true, auth: "token", fault: null },
      { provider: "shiliuai", image: keyOf(b), status: 200, billable: true, answered: true, auth: "appcode" },
      {
        provider: "huawei",
        image: keyOf(a),
        status: 503,
        billable: false,
        answered: false,
        auth: null,
        fault: "status",
      },
      { provider: "huawei", image: null, status: 400, billable: false, answered: false, auth: "token" },
    ]);
    expect(report.images).toEqual({
      [keyOf(a)]: { calls: 2, answered: 1, billable: 1 },
      [keyOf(b)]: { calls: 1, answered: 1, billable: 1 },
    });
    expect(report.totals).toMatchObject({ calls: 4, billable: 2, answered: 2, pending: 0, uncertain: 0, images: 2 });
    expect(await get("/__calls?since=1&limit=2&images=0")).toEqual({
      totals: report.totals,
      next: 3,
      calls: (report.calls as unknown[]).slice(1, 3),
    });
    expect(await get("/__calls?summary=1")).toEqual({ totals: report.totals, images: report.images });
  });

  test("is emptied by a reset, faults with it", async () => {
    emulator.setFaults({ rules: [{ do: { kind: "status", status: 500 } }] });
    await post(HUAWEI, { image: "" });
    expect(await post("/__reset", "")).toMatchObject({ body: { reset: true } });
    expect(await get("/__calls")).toMatchObject({ totals: { calls: 0 }, images: {}, calls: [], next: null });
    expect(await get("/__faults")).toEqual({ seed: 1, rules: [] });
  });

  test("an answer that its caller hung up on is not counted as answered", async () => {
    emulator.setFaults({ rules: [{ do: { kind: "drip", everyMs: 20 } }] });
    const stop = new AbortController();
    const body = JSON.stringify({ image: base64(drawPicture(1)) });
    const reply = await fetch(emulator.url + HUAWEI, { method: "POST", headers: byToken, body, signal: stop.signal });
    stop.abort();
    await expect(reply.text()).rejects.toThrow();
    await expect.poll(() => emulator.totals()).toMatchObject({ calls: 1, billable: 1, answered: 0 });
  });
});

test("what nobody serves is not found, in the gateway's words", async () => {
  expect(await post("/v2/x/ocr/id-card", {})).toMatchObject({ status: 404, body: { error_code: "APIG.0101" } });
  expect((await fetch(`${emulator.url}/__other`)).status).toBe(404);
});
