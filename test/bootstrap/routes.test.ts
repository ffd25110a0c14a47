import { describe, expect, it } from "vitest";
import { lineToType, type Machine, planRoutes } from "../../src/bootstrap/routes.js";

function machine(programs: string, more: Partial<Machine> = {}): Machine {
  const has = (program: string) => programs.split(" ").includes(program);
  return { platform: "linux", isRoot: false, allowSystemInstall: false, has, ...more };
}

const tried = (of: Machine) =>
  planRoutes(of)
    .filter((planned) => planned.leftOut === null)
    .map((planned) => planned.route);

describe("the routes to a Redis, in order", () => {
  it.each<[string, Machine, string[]]>([
    ["a bare machine", machine(""), ["path"]],
    ["Debian, plain user", machine("apt-get dpkg sudo"), ["path", "apt-download"]],
    ["Debian, root", machine("apt-get dpkg", { isRoot: true }), ["path", "apt-download", "system"]],
    ["Debian without dpkg", machine("apt-get", { isRoot: true }), ["path", "system"]],
    ["Fedora, plain user", machine("dnf sudo docker"), ["path", "docker"]],
    ["Fedora, allowed", machine("dnf sudo docker", { allowSystemInstall: true }), ["path", "system", "docker"]],
    ["Fedora, allowed but no sudo", machine("dnf", { allowSystemInstall: true }), ["path"]],
    ["Alpine, root", machine("apk", { isRoot: true }), ["path", "system"]],
    ["macOS", machine("brew docker", { platform: "darwin" }), ["path", "brew", "docker"]],
    ["macOS with apt-get on PATH", machine("apt-get dpkg", { platform: "darwin", isRoot: true }), ["path"]],
    ["Linux with brew on PATH", machine("brew"), ["path"]],
  ])("%s", (_, of, routes) => {
    expect(tried(of)).toEqual(routes);
  });

  it("says why each other is left out", () => {
    expect(planRoutes(machine("")).every(({ route, leftOut }) => route === "path" || leftOut)).toBe(true);
  });
});

it.each([
  ["sudo apt-get install -y redis-tools", machine("apt-get")],
  ["sudo dnf install -y redis", machine("dnf")],
  ["sudo apk add redis", machine("apk")],
  ["brew install redis", machine("", { platform: "darwin" })],
  ["export REDIS_URL=redis://your-redis-host:6379", machine("")],
])("offers one line to type: %s", (line, of) => {
  expect(lineToType(of)).toBe(line);
});
