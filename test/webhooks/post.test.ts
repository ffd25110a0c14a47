import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, isIP, type LookupFunction } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createWebhookClient } from "../../src/webhooks/post.js";
import { newWebhookSecret, signWebhook } from "../../src/webhooks/sign.js";
import { createWebhookPolicy, type WebhookPolicy } from "../../src/webhooks/target.js";

const PUBLIC = "93.184.215.14";
const NEVER = new AbortController().signal;

interface Receiver {
  readonly port: number;
  readonly connections: () => number;
  readonly requests: IncomingMessage[];
}

async function startReceiver(answer: RequestListener = (_request, response) => response.end()): Promise<Receiver> {
  const requests: IncomingMessage[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    answer(request, response);
  });
  server.on("connection", () => {
    connections++;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections, requests };
}

/** Names stand for what a test says. */
function answering(...addresses: string[]): LookupFunction {
  return (_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
}

function clientFor(options: { allow?: string[]; policy?: WebhookPolicy; lookup?: LookupFunction; timeoutMs?: number }) {
  const { allow = [], policy = createWebhookPolicy(allow), ...rest } = options;
  const client = createWebhookClient({ policy, ...rest });
  onTestFinished(client.close);
  return client;
}

describe("where nobody may go, nobody is reached", () => {
  test.each([
    ["a name of this machine", answering("127.0.0.1")],
    ["a name with one private address among others", answering(PUBLIC, "127.0.0.1")],
    ["a name with the same in IPv6", answering("::ffff:127.0.0.1")],
    ["a name that stands for nothing", answering()],
  ] as const)("%s", async (_name, lookup) => {
    const { port, connections } = await startReceiver();
    // Listed for plain http by its address; its name is checked by what it stands for.
    const policy: WebhookPolicy = { ...createWebhookPolicy([]), mayBePlain: () => true };
    const result = await clientFor({ policy, lookup }).post(`http://hook.example:${port}/`, "{}", {}, NEVER);
    expect(result).toMatchObject({ kind: "forbidden" });
    expect(connections()).toBe(0);
  });

  test.each(["localhost", "localhost.", "LOCALHOST"])("%s, by the system's own names", async (host) => {
    const { port, connections } = await startReceiver();
    const policy: WebhookPolicy = { ...createWebhookPolicy([]), mayBePlain: () => true };
    // With the dot at its end some systems know no such name.
    const result = await clientFor({ policy }).post(`http://${host}:${port}/`, "{}", {}, NEVER);
    expect(["forbidden", ...(host.endsWith(".") ? ["failed"] : [])]).toContain(result.kind);
    expect(connections()).toBe(0);
  });

  test("a name that stands for something else the second time it is asked (rebinding)", async () => {
    const { port, connections } = await startReceiver();
    let asked = 0;
    const lookup: LookupFunction = (host, options, callback) =>
      answering(asked++ === 0 ? PUBLIC : "127.0.0.1")(host, options, callback);
    const policy: WebhookPolicy = { ...createWebhookPolicy([]), mayBePlain: () => true };
    const client = clientFor({ policy, lookup, timeoutMs: 300 });
    // The connection takes the answer that was checked: it goes to the public address, which this machine cannot reach.
    expect(await client.post(`http://hook.example:${port}/`, "{}", {}, NEVER)).toMatchObject({ kind: "failed" });
    expect(asked).toBe(1);
    expect(await client.post(`http://hook.example:${port}/`, "{}", {}, NEVER)).toMatchObject({ kind: "forbidden" });
    expect(connections()).toBe(0);
  });

  test("somebody else than the address says: nothing is sent on that connection", async () => {
    const { port, requests } = await startReceiver();
    let looks = 0;
    const policy: WebhookPolicy = { isAllowedAddress: () => looks++ === 0, mayBePlain: () => true };
    const client = clientFor({ policy, lookup: answering("127.0.0.1") });
    expect(await client.post(`http://hook.example:${port}/`, "{}", {}, NEVER)).toMatchObject({ kind: "forbidden" });
    expect(requests).toEqual([]);
  });
});

describe("what is listed may be private and plain http", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["127.0.0.0/8", "127.0.0.1"],
    ["localhost", "localhost"],
    ["Localhost.", "localhost"],
  ])("%s: %s", async (entry, host) => {
    const { port, requests } = await startReceiver();
    const result = await clientFor({ allow: [entry] }).post(`http://${host}:${port}/a?b=c`, "{}", {}, NEVER);
    expect(result).toEqual({ kind: "taken" });
    expect(requests[0]?.url).toBe("/a?b=c");
  });

  test.each(["127.0.0.1/33", "a b", "http://x", "", "*"])("an entry that is none is refused: %j", (entry) => {
    expect(() => createWebhookPolicy([entry])).toThrow(RangeError);
  });
});

describe("what a receiver may answer", () => {
  const allow = ["127.0.0.1"];

  test.each([301, 302, 303, 307, 308])("%d is not followed", async (status) => {
    const elsewhere = await startReceiver();
    const { port } = await startReceiver((_request, response) => {
      response.writeHead(status, { location: `http://127.0.0.1:${elsewhere.port}/` }).end();
    });
    const result = await clientFor({ allow }).post(`http://127.0.0.1:${port}/`, "{}", {}, NEVER);
    expect(result).toMatchObject({ kind: "refused", status });
    expect(elsewhere.connections()).toBe(0);
  });

  test("nothing, too late, or without end", async () => {
    const silent = await startReceiver(() => {});
    const client = clientFor({ allow, timeoutMs: 200 });
    expect(await client.post(`http://127.0.0.1:${silent.port}/`, "{}", {}, NEVER)).toEqual({
      kind: "failed",
      reason: "no answer in time",
    });
    const endless = await startReceiver((_request, response) => {
      const more = setInterval(() => response.write("x".repeat(32 * 1024)), 1);
      response.once("close", () => clearInterval(more));
    });
    expect(await client.post(`http://127.0.0.1:${endless.port}/`, "{}", {}, NEVER)).toEqual({ kind: "taken" });
    await expect.poll(() => endless.requests[0]?.destroyed).toBe(true);
  });

  test("a refusal that says when to come again; a connection that breaks", async () => {
    const busy = await startReceiver((_request, response) => response.writeHead(503, { "retry-after": "7" }).end());
    const client = clientFor({ allow });
    expect(await client.post(`http://127.0.0.1:${busy.port}/`, "{}", {}, NEVER)).toEqual({
      kind: "refused",
      status: 503,
      retryAfterMs: 7000,
    });
    const breaking = await startReceiver((request) => request.socket.resetAndDestroy());
    expect(await client.post(`http://127.0.0.1:${breaking.port}/`, "{}", {}, NEVER)).toMatchObject({ kind: "failed" });
  });
});

test("a signature is what Standard Webhooks says, one for each secret that is valid", () => {
  const secrets = [newWebhookSecret(), newWebhookSecret()];
  const headers = signWebhook("msg_1", 1_700_000_000_999, '{"a":1}', secrets);
  expect(headers).toMatchObject({ "webhook-id": "msg_1", "webhook-timestamp": "1700000000" });
  const expected = secrets.map((secret) => {
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    expect(key).toHaveLength(32);
    return `v1,${createHmac("sha256", key).update('msg_1.1700000000.{"a":1}').digest("base64")}`;
  });
  expect(headers["webhook-signature"]).toBe(expected.join(" "));
});
