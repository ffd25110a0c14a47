import { expect, it } from "vitest";
import { serverCommand, serverPlace } from "../../src/bootstrap/server-command.js";
import { serverConfig } from "../../src/bootstrap/server-config.js";
import type { RedisServer } from "../../src/bootstrap/server-program.js";

const SERVER: RedisServer = {
  command: ["/bin/redis-server"],
  libraryPath: null,
  version: "redis 7.0.15",
  how: "found on PATH",
  inContainer: false,
};
const IN_CONTAINER: RedisServer = { ...SERVER, command: ["docker", "redis:7-alpine"], inContainer: true };
const OPTIONS = { port: 20_001, dataFolder: "/d", canTie: false, owner: "1000:1000" };

it.each([
  ["plain", SERVER, OPTIONS, "/bin/redis-server /d/redis.conf"],
  [
    "tied to its keeper",
    SERVER,
    { ...OPTIONS, canTie: true },
    "setpriv --pdeathsig TERM /bin/redis-server /d/redis.conf",
  ],
  [
    "with libraries of its own, which setpriv must not get",
    { ...SERVER, libraryPath: "/c/lib" },
    { ...OPTIONS, canTie: true },
    "setpriv --pdeathsig TERM env LD_LIBRARY_PATH=/c/lib /bin/redis-server /d/redis.conf",
  ],
])("runs the server %s", (_, server, options, command) => {
  expect(serverCommand(server, options).join(" ")).toBe(command);
});

it("runs a container that only this machine reaches, as the owner of the data folder", () => {
  expect(serverCommand(IN_CONTAINER, OPTIONS).join(" ")).toMatch(
    /^docker run --rm --name cardbatch-redis-[0-9a-f]{12} --user 1000:1000 -p 127\.0\.0\.1:20001:6379 -v \/d:\/data redis:7-alpine redis-server \/data\/redis\.conf$/,
  );
  expect(serverPlace(IN_CONTAINER, 20_001, "/d")).toEqual({ bind: "0.0.0.0", port: 6379, dataFolder: "/data" });
  expect(serverPlace(SERVER, 20_001, "/d")).toEqual({ bind: "127.0.0.1", port: 20_001, dataFolder: "/d" });
});

it("quotes what it writes into the configuration", () => {
  const text = serverConfig({ bind: "b", port: 1, password: "p", dataFolder: '/a "b" \\c\nport 2', settings: {} });
  expect(text).toContain('dir "/a \\"b\\" \\\\c\\nport 2"\n');
  expect(
    text
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("port ")),
  ).toEqual(['port "1"']);
});
