import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { CardbatchClient, type ClientOptions } from "../../src/client/index.js";
import type { RequestView } from "../../src/domain/http-bodies.js";
import { recordOf } from "../helpers/records.js";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
type Answer = "cut" | "silence" | { status: number; headers?: Record<string, string>; body: unknown };

/** A server that answers in the order given, the last answer for ever, and what it was asked. */
async function openServer(answers: readonly Answer[], options: Partial<ClientOptions> = {}) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString("latin1") });
    const answer = answers[Math.min(seen.length, answers.length) - 1];
    if (answer === undefined || answer === "cut") return void request.socket.destroy();
    if (answer === "silence") return;
    const body = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, answer.headers).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cards`;
  return { client: new CardbatchClient({ baseUrl, apiKey: "cbk_a.b", ...options }), seen };
}

const record = recordOf("b", 1);
const view: RequestView = {
  request: "r_0123456789abcdef",
  batch: "b",
  ref: null,
  page: 0,
  status: "done",
  receivedAt: null,
  url: "/v1/requests/r_0123456789abcdef",
  outcome: record,
};
const pending: RequestView = { ...view, status: "pending", outcome: null };
const ok = (body: unknown): Answer => ({ status: 200, body });
const refusal = (status: number, code: string, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  body: { type: "about:blank", title: "No", status, code, detail: "not this way" },
});
const images = { batch: "b", requests: [view] };

test("bytes go as a form, under one key of their own, with what is wished for", async () => {
  const { client, seen } = await openServer([ok(images)]);
  const sent = await client.readImage(Buffer.from("\xff\xd8 bytes", "latin1"), { ref: "mine", page: 0, waitMs: 1500 });
  expect(sent).toEqual(images);
  const [{ url, headers, body } = {} as Seen] = seen;
  expect(url).toBe("/cards/v1/images?wait=1500ms");
  expect(headers).toMatchObject({
    authorization: "Bearer cbk_a.b",
    "idempotency-key": expect.stringMatching(/^[\w-]{36}$/),
  });
  expect(body).toContain('name="ref"\r\n\r\nmine\r\n');
  expect(body).toContain('name="page"\r\n\r\n0\r\n');
  expect(body).toContain("\xff\xd8 bytes");
  expect(body).not.toContain("undefined");
});

test("an image that the server has is named", async () => {
  const { client, seen } = await openServer([ok(images)]);
  await client.readImage({ root: "archive", path: "a.jpg" }, { provider: ["huawei", "local"], idempotencyKey: "k" });
  expect(seen[0]?.headers["idempotency-key"]).toBe("k");
  expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
    image: { root: "archive", path: "a.jpg" },
    provider: "huawei,local",
  });
});

describe("what passes is tried again, under the same key", () => {
  test.each<[string, Answer]>([
    ["a connection that breaks", "cut"],
    ["a busy server", refusal(429, "backlog-full", { "retry-after": "0" })],
    ["a server that stops", refusal(503, "shutting-down")],
    ["a gateway's page", { status: 502, body: "<html>" }],
    ["silence", "silence"],
  ])("%s", async (_what, answer) => {
    const { client, seen } = await openServer([answer, ok(images)], { timeoutMs: 200 });
    expect(await client.readImage(Buffer.from("x"))).toEqual(images);
    expect(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    expect(seen.map(({ body }) => body.includes("x"))).toEqual([true, true]);
  });

  test("but not for ever", async () => {
    const { client, seen } = await openServer([refusal(503, "unavailable")], { retries: 2 });
    await expect(client.request("r_1")).rejects.toMatchObject({
      code: "http-refused",
      status: 503,
      problem: "unavailable",
    });
    expect(seen).toHaveLength(3);
  });
});

test.each<[string, Answer, object]>([
  ["a refusal, at once", refusal(422, "invalid"), { code: "http-refused", status: 422, problem: "invalid" }],
  ["an unknown key", refusal(401, "unauthorized"), { code: "http-refused", problem: "unauthorized" }],
  ["another server's answer", ok({ hello: "world" }), { code: "http-unavailable" }],
  [
    "a redirect, which would take the key along",
    { status: 307, headers: { location: "http://127.0.0.1:1/" }, body: "" },
    { code: "http-unavailable" },
  ],
])("is told of %s", async (_what, answer, failure) => {
  const { client } = await openServer([answer], { retries: 0 });
  const error: unknown = await client.request("r_1").catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "CardbatchClientError", ...failure });
  expect(String(error)).not.toContain("cbk_a.b");
});

test("an outcome is waited for, and the wait can be left", async () => {
  const { client, seen } = await openServer([ok(pending), ok(view)]);
  expect(await client.outcome(view.request)).toEqual(record);
  expect(seen[0]?.url).toBe(`/cards/v1/requests/${view.request}?wait=20000ms`);
  const endless = await openServer([ok(pending)]);
  await expect(endless.client.outcome("r_1", { signal: AbortSignal.timeout(30) })).rejects.toThrow(/abort|timeout/i);
});

test("a batch's outcomes come page by page until it is complete", async () => {
  const page = (n: number, next: string, more: boolean, complete: boolean) =>
    ok({ outcomes: [recordOf("b", n)], next, more, complete });
  const { client, seen } = await openServer([page(1, "7", true, false), page(2, "9", false, true)]);
  const found: string[] = [];
  for await (const { image } of client.outcomes("b/1")) found.push(image.source);
  expect(found).toEqual(["1.jpg", "2.jpg"]);
  expect(seen.map(({ url }) => url)).toEqual([
    "/cards/v1/batches/b%2F1/outcomes?cursor=0&limit=1000",
    "/cards/v1/batches/b%2F1/outcomes?cursor=7&limit=1000",
  ]);
});
