import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, inject, it } from "vitest";
import { checkGivenRedis, parseRedisUrl } from "../../src/bootstrap/given-redis.js";
import { ConfigError } from "../../src/domain/errors.js";

const signal = AbortSignal.timeout(20_000);

it("says where the given Redis is, without its password", async () => {
  const { host, port } = parseRedisUrl(inject("redisUrl"));
  expect(await checkGivenRedis(inject("redisUrl"), signal)).toBe(`REDIS_URL, ${host}:${port}`);
});

it.each([
  ["redis://h", { host: "h", port: 6379, tls: false }],
  ["rediss://u:p%40%zz@h:7/2", { host: "h", port: 7, tls: true, username: "u", password: "p@%zz" }],
  ["redis://:p@[::1]:7", { host: "::1", port: 7, tls: false, password: "p" }],
])("understands %s", (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address);
});

it.each(["", "localhost:6379", "http://secret@h", "redis://", "redis://:secret@h:99999"])("refuses %j", (url) => {
  expect(() => parseRedisUrl(url)).toThrow(ConfigError);
  expect(() => parseRedisUrl(url)).not.toThrow(/secret/);
});

it("names what came back, never the password", async () => {
  const url = new URL(inject("redisUrl"));
  url.password = "not-the-password";
  await expect(checkGivenRedis(url.href, signal)).rejects.toThrow(/WRONGPASS/);
  await expect(checkGivenRedis(url.href, signal)).rejects.not.toThrow(/not-the-password/);
  url.password = "";
  await expect(checkGivenRedis(url.href, signal)).rejects.toThrow(/NOAUTH/);
  await expect(checkGivenRedis("redis://127.0.0.1:1", signal)).rejects.toThrow(/127\.0\.0\.1:1 \(ECONNREFUSED\)/);
});

it("waits while it loads, until told to stop", async () => {
  let answers = 0;
  const server = createServer((socket) => {
    socket.on("data", () => socket.write(answers++ === 0 ? "-LOADING Redis is loading the dataset\r\n" : "+PONG\r\n"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await checkGivenRedis(url, signal)).toContain("REDIS_URL");
  answers = Number.NEGATIVE_INFINITY;
  const loading = createServer((socket) => void socket.on("data", () => socket.write("-LOADING\r\n")));
  await once(loading.listen(0, "127.0.0.1"), "listening");
  const stuck = `redis://127.0.0.1:${(loading.address() as AddressInfo).port}`;
  await expect(checkGivenRedis(stuck, AbortSignal.timeout(100))).rejects.toThrow(/timeout|abort/);
  server.close();
  loading.close();
});
