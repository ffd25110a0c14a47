import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { MadeApiKey } from "../../../src/app/api-keys.js";
import { drawPng } from "../../helpers/png.js";
import { imageForm, startService, type TestService } from "./service.js";

/** What goes wrong before a request is there, or while it comes; and what a server that has enough says. */

const LIMITS = { headersTimeoutMs: 500, requestTimeoutMs: 1000, keepAliveMs: 500, mostConnections: 20 };

let service: TestService;
let key: MadeApiKey;
beforeAll(async () => {
  service = await startService({ limits: LIMITS, backlog: 3 });
  key = await service.makeKey();
});

function open(): { socket: Socket; received: () => string; closed: Promise<unknown> } {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
  });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received, closed: once(socket, "close") };
}

const LINE = "POST /v1/images HTTP/1.1\r\nHost: a\r\n";

describe("a connection is closed with an answer", () => {
  test.each([
    ["bytes that are no HTTP", 400, "malformed-http", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
    ["HTTP/1.1 without a host", 400, null, "GET /healthz HTTP/1.1\r\n\r\n"],
    ["a broken header", 400, "malformed-http", "GET /healthz HTTP/1.1\r\nHost a\r\n\r\n"],
    [
      "a header without end",
      431,
      "headers-too-large",
      `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}\r\n\r\n`,
    ],
    ["an address without end", 431, "headers-too-large", `GET /${"x".repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ["two lengths", 400, "malformed-http", `${LINE}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
    [
      "a length and chunks",
      400,
      "malformed-http",
      `${LINE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["chunks that are none", 400, null, `${LINE}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ["headers that never end", 408, "timeout", LINE],
    ["nothing at all", 408, "timeout", ""],
  ] as const)("%s: %d", async (_name, status, code, bytes) => {
    const { socket, received, closed } = open();
    socket.write(bytes);
    await closed;
    expect(received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (code !== null) expect(received()).toContain(`"code":"${code}"`);
    expect(received()).not.toMatch(/node_modules|\.js:\d/);
  });
});

test("a body that comes too slowly is cut off, and leaves nothing staged", async () => {
  const before = service.staged();
  const { socket, received, closed } = open();
  const start = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n';
  socket.write(
    `${LINE}Authorization: Bearer ${key.key}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n${start}`,
  );
  const drip = setInterval(() => socket.write("x"), 100);
  await closed;
  clearInterval(drip);
  expect(received()).toMatch(/^HTTP\/1.1 408 /);
  await expect.poll(() => service.staged()).toEqual(before);
});

test("a caller who goes away in the middle leaves nothing staged", async () => {
  const before = service.staged();
  const { socket, closed } = open();
  const start = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n';
  const head = `Authorization: Bearer ${key.key}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n`;
  socket.write(LINE + head + start);
  socket.write(drawPng(1));
  await expect.poll(() => service.staged().length).toBe(before.length + 1);
  socket.resetAndDestroy();
  await closed;
  await expect.poll(() => service.staged()).toEqual(before);
});

test("connections on which nothing is asked are closed, and more than so many are not taken", async () => {
  const many = Array.from({ length: 2 * LIMITS.mostConnections }, open);
  await Promise.all(many.map(({ closed }) => closed));
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
});

describe("enough is enough", () => {
  const send = (sent = key, fields = {}) =>
    fetch(`${service.url}/v1/images`, {
      method: "POST",
      headers: { authorization: `Bearer ${sent.key}` },
      body: imageForm(drawPng(2), fields),
    });

  test("a key's rate is its own, a second long, and says when to come again", async () => {
    const slow = await service.makeKey({ rate: 2 });
    const look = () => fetch(`${service.url}/v1/webhooks/parked`, { headers: { authorization: `Bearer ${slow.key}` } });
    const first = await Promise.all([look(), look(), look(), look()]);
    expect(first.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429]);
    const refused = first.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused?.json()).toMatchObject({ code: "rate-limited" });
    expect(
      (await fetch(`${service.url}/v1/webhooks/parked`, { headers: { authorization: `Bearer ${key.key}` } })).status,
    ).toBe(200);
    await expect.poll(async () => (await look()).status).toBe(200);
  });

  test("with so many images waiting no more are taken, until some were worked on", async () => {
    for (let i = 0; i < 3; i++) expect((await send(key, { ref: `waiting-${i}` })).status).toBe(202);
    const taken = service.staged();
    await expect.poll(async () => (await send(key, { ref: "too many" })).status).toBe(429);
    const refused = await send(key, { ref: "too many" });
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await refused.json()).toMatchObject({ code: "backlog-full" });
    expect(service.staged().length).toBeGreaterThanOrEqual(taken.length);
    await service.app.redis.del(`${service.app.keys.prefix}:card-images:wait`);
    await expect.poll(async () => (await send(key, { ref: "room again" })).status).toBe(202);
  });
});
