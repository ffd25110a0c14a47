import { describe, expect, test } from "vitest";
import { verifyWebhook } from "../../src/client/index.js";
import { newWebhookSecret, signWebhook } from "../../src/webhooks/sign.js";
import { recordOf } from "../helpers/records.js";

const NOW = Date.parse("2026-11-22T08:00:00.000Z");
const SECRET = newWebhookSecret();
const OTHER = newWebhookSecret();
const event = { type: "request.finished", timestamp: "2026-11-22T08:00:00.000Z", data: recordOf("客户", 1) };
const body = JSON.stringify(event);
const headers = signWebhook("msg_1", NOW, body, [SECRET]);
const verify = (received: Parameters<typeof verifyWebhook>[0], secret: string | string[] = SECRET, nowMs = NOW) =>
  verifyWebhook(received, { secret, nowMs });

test("what serve signs is taken, as text or bytes, with headers of either kind", () => {
  const expected = { ...event, id: "msg_1" };
  expect(verify({ headers, body })).toEqual(expected);
  expect(verify({ headers, body: Buffer.from(body) })).toEqual(expected);
  expect(verify({ headers: new Headers(headers), body })).toEqual(expected);
});

test("while the secret is changed, either one is right", () => {
  const both = signWebhook("msg_1", NOW, body, [OTHER, SECRET]);
  expect(verify({ headers: both, body }).id).toBe("msg_1");
  expect(verify({ headers, body }, [OTHER, SECRET]).id).toBe("msg_1");
});

describe("is refused:", () => {
  const signed = (text: string) => ({ headers: signWebhook("msg_1", NOW, text, [SECRET]), body: text });
  test.each([
    ["another secret", { headers, body }, OTHER],
    ["no secret", { headers, body }, ""],
    ["a secret of nothing", { headers: signWebhook("msg_1", NOW, body, ["whsec_"]), body }, "whsec_"],
    ["no secrets", { headers, body }, []],
    ["another body", { headers, body: `${body} ` }, SECRET],
    ["another id", { headers: { ...headers, "webhook-id": "msg_2" }, body }, SECRET],
    ["another time", { headers: { ...headers, "webhook-timestamp": String(NOW / 1000 + 1) }, body }, SECRET],
    ["no time", { headers: { ...headers, "webhook-timestamp": undefined }, body }, SECRET],
    ["no signature", { headers: { ...headers, "webhook-signature": undefined }, body }, SECRET],
    ["another version's signature", { headers: { ...headers, "webhook-signature": "v2,AAAA" }, body }, SECRET],
    ["no JSON", signed("{"), SECRET],
    ["another kind", signed('{"type":"other"}'), SECRET],
  ])("%s", (_what, received, secret) => {
    const failure = (() => {
      try {
        return verify(received, secret);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({ name: "CardbatchClientError", code: "webhook-invalid" });
    expect(String(failure)).not.toContain(SECRET);
  });

  test.each([-6, 6])("one that is %d minutes off", (minutes) => {
    expect(() => verify({ headers, body }, SECRET, NOW + minutes * 60_000)).toThrow("not of now");
  });
});
