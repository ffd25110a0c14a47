import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, inject, it } from "vitest";
import { parseRedisUrl } from "../../src/bootstrap/given-redis.js";
import { openRedis, RespError } from "../../src/bootstrap/resp.js";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that says what it is told to, whatever it hears. */
async function listen(onConnection: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

it("talks to a real Redis", async () => {
  const connection = await openRedis(parseRedisUrl(inject("redisUrl")));
  closers.push(() => connection.close());
  expect(await connection.command("ECHO", "grüße\r\n$3\r\n")).toBe("grüße\r\n$3\r\n");
  expect(await connection.command("GET", "no such key")).toBe("");
  expect(await connection.command("INFO", "server")).toMatch(/^tcp_port:\d+\r$/m);
  await expect(connection.command("INCR")).rejects.toThrow(RespError);
  expect(await connection.command("INCRBY", "resp-test", "0")).toBe("0");
});

it("tells a refused password by its code", async () => {
  const address = { ...parseRedisUrl(inject("redisUrl")), password: "wrong" };
  await expect(openRedis(address)).rejects.toMatchObject({ name: "RespError", code: "WRONGPASS" });
});

it("puts an answer together from single bytes", async () => {
  const address = await listen((socket) => {
    socket.once("data", () => {
      for (const byte of Buffer.from("$7\r\na\r\nb\r\nc\r\n")) socket.write(Buffer.of(byte));
    });
  });
  (await openRedis(address)).close();
});

describe("a peer that is no Redis fails within the time limit", () => {
  it.each([
    ["speaks first and something else", "SSH-2.0-OpenSSH\r\n", /does not speak/],
    ["answers like a web server", "HTTP/1.1 400 Bad Request\r\n\r\n", /does not speak/],
    ["sends a length that is none", "$abc\r\n", /does not speak/],
    ["sends an absurd length", "$99999999999\r\n", /does not speak/],
    ["sends a long answer", `$900000000\r\n${"x".repeat(200_000)}`, /does not speak/],
    ["sends no end of line", `+${"x".repeat(200_000)}`, /does not speak/],
    ["says nothing", "", /no answer within 300 ms/],
  ])("%s", async (_, bytes, message) => {
    const address = await listen((socket) => socket.write(bytes));
    await expect(openRedis(address, 300)).rejects.toThrow(message);
  });

  it("hangs up", async () => {
    const address = await listen((socket) => socket.end());
    await expect(openRedis(address)).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
  });
});

it("tells when the connection has ended, also to who asks late", async () => {
  const address = await listen((socket) => socket.once("data", () => socket.end("+PONG\r\n")));
  const connection = await openRedis(address);
  await new Promise<void>((resolve) => connection.onClose(resolve));
  await new Promise<void>((resolve) => connection.onClose(resolve));
  await expect(connection.command("PING")).rejects.toThrow(/closed/);
});
