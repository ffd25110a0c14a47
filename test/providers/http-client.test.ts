import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { CancelledError, ProviderError } from "../../src/domain/errors.js";
import { parseEndpoint } from "../../src/providers/endpoint.js";
import { createHttpClient, type HttpClientOptions } from "../../src/providers/http-client.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server that does with each connection whatever the test wants. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Answers every request with these bytes. */
const raw = (reply: string) => listen(createServer((socket) => void socket.on("data", () => socket.write(reply))));

function client(options: Partial<HttpClientOptions> = {}) {
  const http = createHttpClient({ connections: 2, connectTimeoutMs: 500, ...options });
  closers.push(() => http.close());
  return http;
}

function post(
  http: ReturnType<typeof client>,
  address: string,
  over: { signal?: AbortSignal; timeoutMs?: number } = {},
) {
  const endpoint = parseEndpoint(address, "CARDBATCH_X_ENDPOINT", []);
  const limits = { timeoutMs: over.timeoutMs ?? 5000, maxResponseBytes: 1000 };
  const request = { peer: "test", endpoint, method: "POST", path: "/x", headers: {}, body: Buffer.from("{}") } as const;
  return http.send({ ...request, ...limits }, over.signal ?? new AbortController().signal);
}

const failing = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it was answered"),
    (error) => error,
  );

test("a reply comes whole, with what may be made of it", async () => {
  const port = await raw("HTTP/1.1 200 OK\r\nX-Id: a\r\nContent-Length: 2\r\n\r\nok");
  const reply = await post(client(), `http://127.0.0.1:${port}/base`);
  expect(reply).toMatchObject({ status: 200, cut: null, headers: { "x-id": "a" } });
  expect(reply.body.toString()).toBe("ok");
});

test("redirects are replies", async () => {
  const port = await raw("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
  expect(await post(client(), `http://127.0.0.1:${port}`)).toMatchObject({ status: 302, cut: null });
});

test.each([
  ["a refused connection", "http://127.0.0.1:1", "ECONNREFUSED"],
  ["an unknown name", "https://no-such-host.invalid", /ENOTFOUND|EAI_AGAIN/],
])("%s: nothing was sent", async (_name, address, network) => {
  const error = await failing(post(client(), address));
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({ code: "provider-connection", notSent: true, uncertain: false });
  expect(error.details.network).toMatch(network);
});

test.each([
  ["closes at once", (socket: Socket) => socket.once("data", () => socket.end()), "provider-connection"],
  ["resets", (socket: Socket) => socket.once("data", () => socket.resetAndDestroy()), "provider-connection"],
  [
    "speaks something else",
    (socket: Socket) => socket.once("data", () => socket.end("220 smtp ready\r\n")),
    "provider-response",
  ],
  [
    "sends headers without end",
    (socket: Socket) => socket.once("data", () => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`)),
    "provider-response",
  ],
])("who %s leaves it uncertain", async (_name, serve, code) => {
  const port = await listen(createServer(serve));
  const error = await failing(post(client(), `http://127.0.0.1:${port}`));
  expect(error).toMatchObject({ code, uncertain: true, notSent: false });
});

test("a server that never answers is given up in time", async () => {
  const port = await listen(createServer(() => {}));
  const error = await failing(post(client(), `http://127.0.0.1:${port}`, { timeoutMs: 100 }));
  expect(error).toMatchObject({ code: "provider-timeout", uncertain: true });
});

test("while it waits for a connection nothing was sent, whoever ends the wait", async () => {
  const port = await listen(createServer(() => {}));
  const http = client({ connections: 1 });
  const stop = new AbortController();
  const first = failing(post(http, `http://127.0.0.1:${port}`, { signal: stop.signal }));
  const impatient = await failing(post(http, `http://127.0.0.1:${port}`, { timeoutMs: 50 }));
  expect(impatient).toMatchObject({ code: "provider-connection", notSent: true, uncertain: false });
  stop.abort();
  expect(await first).toBeInstanceOf(CancelledError);
  expect(await first).toMatchObject({ uncertain: true });
});

test("informational replies are no replies", async () => {
  const port = await raw(
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  );
  expect(await post(client(), `http://127.0.0.1:${port}`)).toMatchObject({ status: 200 });
});

test("a connection that the server closed while idle is not used again", async () => {
  let closed = 0;
  const port = await listen(
    createServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"));
      socket.once("close", () => closed++);
    }),
  );
  const http = client({ connections: 1 });
  for (let call = 1; call <= 3; call++) {
    expect((await post(http, `http://127.0.0.1:${port}`)).status).toBe(200);
    await expect.poll(() => closed).toBe(call);
  }
});

test("many calls on one signal make no warning", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  closers.push(() => process.off("warning", note));
  const port = await raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const { signal } = new AbortController();
  const http = client();
  await Promise.all(Array.from({ length: 30 }, () => post(http, `http://127.0.0.1:${port}`, { signal })));
  expect(warnings).toEqual([]);
});

test("a certificate that nobody vouches for is refused before anything is sent", async ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-tls-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"];
  try {
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject],
      { stdio: "ignore" },
    );
  } catch {
    skip("openssl is not here");
  }
  let requests = 0;
  const port = await listen(createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, () => requests++));
  const error = await failing(post(client(), `https://localhost:${port}`));
  expect(error).toMatchObject({
    code: "provider-connection",
    notSent: true,
    details: { network: "DEPTH_ZERO_SELF_SIGNED_CERT" },
  });
  expect(requests).toBe(0);
});

test("https goes through HTTPS_PROXY, except to the hosts of NO_PROXY", async () => {
  const asked: string[] = [];
  const proxyPort = await listen(
    createServer((socket) =>
      socket.once("data", (head) => {
        asked.push(head.toString("latin1").split("\r\n")[0] ?? "");
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
      }),
    ),
  );
  const http = client({ httpsProxy: `127.0.0.1:${proxyPort}`, noProxy: "localhost" });
  expect(await failing(post(http, "https://ocr.example.com"))).toMatchObject({
    code: "provider-connection",
    notSent: true,
  });
  expect(await failing(post(http, "https://localhost:1"))).toMatchObject({ details: { network: "ECONNREFUSED" } });
  expect(asked).toEqual(["CONNECT ocr.example.com:443 HTTP/1.1"]);
  expect(http.proxyOf(parseEndpoint("ocr.example.com", "", []))).toBe(`127.0.0.1:${proxyPort}`);
});
