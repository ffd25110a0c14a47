import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FindServerOptions, findServer } from "../../src/bootstrap/find-server.js";
import { ConfigError } from "../../src/domain/errors.js";

const REDIS = 'echo "Redis server v=7.2.4 sha=00000000:0 malloc=libc bits=64 build=0"';
const VALKEY = 'echo "Valkey server v=8.1.1 sha=00000000:0 malloc=libc bits=64 build=0"';

let folder: string;
let bin: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cardbatch find ü"));
  bin = join(folder, "bin");
  mkdirSync(join(folder, "cache"));
  said = [];
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A machine on which nothing exists but the given shell scripts. */
function find(
  scripts: Record<string, string>,
  more: Partial<FindServerOptions> = {},
  signal = AbortSignal.timeout(20_000),
) {
  for (const [name, script] of Object.entries(scripts)) program(join(bin, name), script);
  const env = { PATH: bin, FAKE: folder };
  const report = (message: string) => said.push(message);
  const cacheFolder = join(folder, "cache");
  const options = { env, platform: "linux", uid: 1000, allowSystemInstall: false, cacheFolder, report } as const;
  return findServer({ ...options, ...more }, signal);
}

function program(file: string, script: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
  chmodSync(file, 0o755);
}

describe("on PATH", () => {
  it("takes redis-server", async () => {
    const server = await find({ "redis-server": REDIS, "valkey-server": VALKEY });
    expect(server).toMatchObject({
      command: [join(bin, "redis-server")],
      version: "redis 7.2.4",
      how: "found on PATH",
    });
  });

  it.each([
    ["is too old", 'echo "Redis server v=5.0.7 sha=0"'],
    ["does not run", "exit 127"],
    ["is something else", "echo hello"],
  ])("takes valkey-server when redis-server %s", async (_, script) => {
    expect((await find({ "redis-server": script, "valkey-server": VALKEY })).version).toBe("valkey 8.1.1");
  });

  it("takes redis-check-rdb, which is the server under another name", async () => {
    const { command } = await find({ "redis-check-rdb": REDIS });
    expect(command[0]).toMatch(/\/redis-server$/);
    expect(readlinkSync(command[0])).toBe(join(bin, "redis-check-rdb"));
  });
});

it("says what was tried and what to type when there is no way", async () => {
  const error = await find({ docker: 'echo "Cannot connect to the Docker daemon" >&2; exit 1' }).catch((e) => e);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toMatch(/on PATH: no redis-server or valkey-server/);
  expect(error.message).toMatch(/docker: docker info: Cannot connect to the Docker daemon/);
  expect(error.message).toMatch(/Type this, then try again:\n {2}export REDIS_URL=/);
});

describe("with apt, without root", () => {
  // A package is a tar file here: the fake apt-get copies it, the fake dpkg unpacks it.
  const debian = {
    "apt-get": `while [ "$1" = -c ] || [ "$1" = -q ]; do [ "$1" = -c ] && shift; shift; done
      echo "$*" >> "$FAKE/calls"; verb=$1; shift
      [ "$verb" = update ] && { echo "E: no such host" >&2; exit 100; }
      for name; do cp "$FAKE/$name.deb" . || { echo "E: Unable to locate package $name" >&2; exit 100; }; done`,
    "apt-cache": `case "$*" in
      *--recurse*) printf '%s\\n' liblzf1 '  Depends: libc6' libc6 libc-bin libhere;;
      *) printf '%s\\n' redis-tools '  Depends: liblzf1' '  Depends: libhere' '  Depends: adduser';;
      esac`,
    dpkg: `case $1 in -x) mkdir -p "$3" && tar -xf "$2" -C "$3";; *) echo "libhere:amd64  install";; esac`,
  };
  const calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");

  /** A package with one file. */
  function pack(name: string, file: string, script: string): void {
    const tree = join(folder, "trees", name);
    program(join(tree, file), script);
    execFileSync("tar", ["-cf", join(folder, `${name}.deb`), "-C", tree, "."]);
  }

  it("downloads and unpacks it, and finds it again without asking", async () => {
    pack("redis-server", "usr/share/doc", "");
    pack("redis-tools", "usr/bin/redis-check-rdb", REDIS);
    const first = await find(debian);
    expect(first).toMatchObject({ version: "redis 7.2.4", how: "downloaded with apt" });
    expect(calls()).toEqual(["update", "download redis-server redis-tools"]);
    expect(said).toEqual([expect.stringContaining("no root needed")]);
    expect(await find(debian)).toEqual(first);
    expect(calls()).toHaveLength(2);
  });

  it("adds libraries that the machine lacks, first those that are not installed", async () => {
    const needs = (library: string) => `case "$LD_LIBRARY_PATH" in *-linux-*) ;; *) exit 127;; esac
      IFS=:; for f in $LD_LIBRARY_PATH; do [ -e "$f/${library}" ] && ${REDIS} && exit; done; exit 127`;
    pack("redis-server", "usr/bin/redis-server", needs("libhere.so"));
    pack("redis-tools", "usr/bin/redis-cli", "");
    pack("liblzf1", "usr/lib/x86_64-linux-gnu/liblzf.so", "");
    pack("libhere", "lib/x86_64-linux-gnu/libhere.so", "");
    expect((await find(debian)).libraryPath?.split(":")).toContain(join(folder, "cache/server/lib/x86_64-linux-gnu"));
    expect(calls().slice(2)).toEqual(["download liblzf1", "download liblzf1 libhere"]);
  });

  it("takes Valkey where there is no Redis", async () => {
    pack("valkey-server", "usr/bin/valkey-server", VALKEY);
    pack("valkey-tools", "usr/bin/valkey-cli", "");
    expect((await find(debian)).version).toBe("valkey 8.1.1");
  });

  it("leaves nothing half-done when it fails, and names the cause", async () => {
    await expect(find(debian)).rejects.toThrow(/apt: redis: E: Unable to locate.*valkey: E: Unable.*E: no such host/);
    expect(existsSync(join(folder, "cache/server"))).toBe(false);
  });
});

describe("with what installs something", () => {
  const install = `echo "$0 $*" >> "$FAKE/calls"; [ "$1" = add ] && { echo '#!/bin/sh'; echo '${REDIS}'; } > "$FAKE/bin/redis-server" && chmod +x "$FAKE/bin/redis-server"; true`;

  it("uses the package manager as root", async () => {
    expect(await find({ apk: install }, { uid: 0 })).toMatchObject({
      version: "redis 7.2.4",
      how: "installed with apk",
    });
    expect(said).toEqual(["installing a Redis: apk add redis …"]);
  });

  it("uses it with sudo only when allowed", async () => {
    const machine = { apk: install, sudo: 'exec "$FAKE/bin/$@"' };
    await expect(find(machine)).rejects.toThrow(
      /only as root or with CARDBATCH_BOOTSTRAP=system[\s\S]*sudo apk add redis/,
    );
    expect((await find(machine, { allowSystemInstall: true })).how).toBe("installed with apk");
    expect(said).toEqual(["installing a Redis: sudo apk add redis …"]);
  });

  it("installs no system service on Debian", async () => {
    const aptGet = `echo "$*" >> "$FAKE/calls"; exit 1`;
    await expect(find({ "apt-get": aptGet }, { uid: 0 })).rejects.toThrow(ConfigError);
    expect(readFileSync(join(folder, "calls"), "utf8")).toMatch(/install .* redis-tools$/m);
  });

  it("uses brew on macOS", async () => {
    program(join(folder, "homebrew/bin/redis-server"), REDIS);
    const brew = `[ "$1" = --prefix ] && echo "$FAKE/homebrew"; true`;
    const server = await find({ brew }, { platform: "darwin" });
    expect(server).toMatchObject({ command: [join(folder, "homebrew/bin/redis-server")], how: "installed with brew" });
  });

  it("uses docker where its daemon answers", async () => {
    const server = await find({ docker: `[ "$1" = run ] && ${REDIS}; true` });
    expect(server).toMatchObject({ version: "redis 7.2.4", how: "run with docker", inContainer: true });
  });
});

it("stops when told", async () => {
  await expect(find({ "redis-server": "exec sleep 60" }, {}, AbortSignal.timeout(200))).rejects.toThrow(/timeout/);
});
