import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type EnsuredRedis,
  ensureRedis,
  type RedisOptions,
  stopPrivateRedis,
} from "../../src/bootstrap/private-redis.js";
import { isRunning, pidOf } from "../../src/bootstrap/process-mark.mjs";
import { readState } from "../../src/bootstrap/server-state.js";

const project = fileURLToPath(new URL("../..", import.meta.url));
const cacheFolder = join(project, ".cache/redis");
const never = new AbortController().signal;

let folder: string;
let users: ChildProcess[];
let clients: Redis[];
let ensured: EnsuredRedis[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cardbatch redis ü"));
  users = [];
  clients = [];
  ensured = [];
});

afterEach(async () => {
  for (const user of users) user.kill("SIGKILL");
  await closeAll();
  await stopPrivateRedis(folder, AbortSignal.timeout(20_000));
  expect(processesIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

it("is configured to keep every acknowledged write and to evict nothing", async () => {
  const redis = await ensure();
  const client = connect(redis.url);
  const settings = {
    save: "",
    appendonly: "yes",
    appendfsync: "everysec",
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-entries": "4096",
    "hash-max-listpack-value": "4096",
    bind: "127.0.0.1",
  };
  for (const [name, value] of Object.entries(settings)) expect(await client.config("GET", name)).toEqual([name, value]);
  expect(redis).toMatchObject({ kind: "private", dataFolder: folder, how: expect.stringMatching(/^private \w+ \d/) });
});

it("takes further settings", async () => {
  const redis = await ensure({ settings: { appendfsync: "no" } });
  expect(await connect(redis.url).config("GET", "appendfsync")).toEqual(["appendfsync", "no"]);
});

it("lets nobody in without the password, which only the owner's files have", async () => {
  const redis = await ensure();
  const { port, password } = readState(folder) ?? { port: 0, password: "" };
  const stranger = connect(`redis://127.0.0.1:${port}`);
  await expect(stranger.get("x")).rejects.toThrow(/NOAUTH/);
  expect(redis.url).toContain(password);
  for (const name of readdirSync(folder))
    expect(statSync(join(folder, name)).mode & 0o077, name).toBe(name === "appendonlydir" ? 0o055 : 0);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const pid of processesIn(folder)) expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(password);
});

it("is found again by the next command, and keeps its data until then", async () => {
  const first = await ensure();
  await connect(first.url).set("k", "v");
  const second = await ensure();
  expect(second.url).toBe(first.url);
  await closeAll();
  await stopPrivateRedis(folder, never);
  expect(await connect((await ensure()).url).get("k")).toBe("v");
});

it("is one for twenty processes that start at once", async () => {
  const urls = await Promise.all(Array.from({ length: 20 }, () => startUser()));
  expect(new Set(urls).size).toBe(1);
  expect(processesIn(folder)).toHaveLength(2);
}, 60_000);

describe("ends soon after its last user", () => {
  it("has given it up", async () => {
    const [one, two] = [await ensure(), await ensure()];
    await one.close();
    await connect(two.url).ping();
    await two.close();
    await closeAll();
    await expectGone();
  });

  it("was killed", async () => {
    await Promise.all([startUser(), startUser()]);
    for (const user of users) user.kill("SIGKILL");
    await expectGone();
  });

  it("has given it up and removed the folder, which does not come back", async () => {
    const redis = await ensure();
    rmSync(folder, { recursive: true });
    await redis.close();
    await expectGone();
    expect(existsSync(folder)).toBe(false);
  });

  it.runIf(process.platform === "linux")("was killed together with the keeper", async () => {
    await startUser();
    for (const pid of [users[0]?.pid, keeperPid()]) process.kill(pid ?? 0, "SIGKILL");
    await expectGone();
  });

  it.each([0, 60, 120, 200])("was killed %i ms after it began to start it", async (delayMs) => {
    const user = spawnUser();
    await once(user, "spawn");
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    user.kill("SIGKILL");
    await once(user, "exit");
    await expectGone();
    await connect((await ensure()).url).ping();
  });
});

describe("comes back in its place, with its data, for the users it has", () => {
  it.each([
    ["it", () => pidOf(readState(folder)?.server ?? "")],
    ["its keeper", keeperPid],
  ])("when %s is killed", async (_, victim) => {
    const redis = await ensure();
    const client = connect(redis.url);
    await client.set("k", "v");
    const before = readState(folder)?.server;
    process.kill(victim(), "SIGKILL");
    await expect.poll(() => readState(folder)?.server ?? before, { timeout: 10_000 }).not.toBe(before);
    expect(await client.get("k")).toBe("v");
    expect((await ensure()).url).toBe(redis.url);
  });
});

it("is never mistaken for a stranger on its port", async () => {
  const first = await ensure();
  await first.close();
  const before = readState(folder);
  await stopPrivateRedis(folder, never);
  const stranger = createServer((socket) => void socket.on("data", () => socket.write("+OK\r\n")));
  await once(stranger.listen(before?.port, "127.0.0.1"), "listening");
  const second = await ensure();
  stranger.close();
  expect(readState(folder)?.port).not.toBe(before?.port);
  expect(readState(folder)?.password).not.toBe(before?.password);
  expect(await connect(second.url).ping()).toBe("PONG");
});

it("says which folder it cannot have", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(ensure({ dataFolder: join(folder, "file/data") })).rejects.toThrow(
    /without .*file\/data \(ENOTDIR\).*REDIS_URL/,
  );
});

describe("after a crash of the machine", () => {
  it.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -5)],
    ["filled up with zeros", (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(4096)])],
    ["filled up with rubbish", (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(300, "x\r\n*")])],
  ])("starts with a file %s", async (_, damage) => {
    await fill(10);
    rewriteFile(damage);
    const client = connect((await ensure()).url);
    expect(await client.get("key0")).toBe("x".repeat(200_000));
  });

  it("leaves a file with much to lose to a person, and says so", async () => {
    await fill(10);
    rewriteFile((bytes) => bytes.fill("?", 0, bytes.indexOf("key1")));
    const size = rewriteFile((bytes) => bytes);
    await expect(ensure()).rejects.toThrow(/did not start[\s\S]*append only file/);
    expect(rewriteFile((bytes) => bytes)).toBe(size);
  });
});

async function ensure(more: Partial<RedisOptions> = {}): Promise<EnsuredRedis> {
  const keeperEntry = join(project, "dist/bootstrap/keeper.js");
  const options = { redisUrl: null, env: process.env, cacheFolder, dataFolder: folder, keeperEntry, graceMs: 400 };
  const redis = await ensureRedis({ ...options, report: () => {}, ...more }, never);
  ensured.push(redis);
  return redis;
}

async function closeAll(): Promise<void> {
  for (const client of clients) client.disconnect();
  for (const redis of ensured) await redis.close();
}

function connect(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on("error", () => {});
  clients.push(client);
  return client;
}

function spawnUser(): ChildProcess {
  const script = fileURLToPath(new URL("redis-user.mjs", import.meta.url));
  const user = spawn(process.execPath, [script, cacheFolder, folder], { stdio: ["ignore", "pipe", "ignore"] });
  users.push(user);
  return user;
}

async function startUser(): Promise<string> {
  const user = spawnUser();
  if (user.stdout === null) throw new Error("no output");
  const [line] = await once(createInterface(user.stdout), "line");
  return JSON.parse(line);
}

function keeperPid(): number {
  return pidOf(readState(folder)?.keeper ?? "");
}

function expectGone() {
  return expect.poll(() => processesIn(folder), { timeout: 10_000 }).toEqual([]);
}

/** Keeper and server work in the data folder; where there is no /proc, what the state file knows of them. */
function processesIn(dataFolder: string): readonly number[] {
  if (process.platform !== "linux") {
    const state = readState(dataFolder);
    return [state?.keeper, state?.server].flatMap((mark) => (mark && isRunning(mark) ? [pidOf(mark)] : []));
  }
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(dataFolder); // " (deleted)" follows when it was removed
      } catch {
        return false;
      }
    });
}

/** Writes `count` keys of 200 kB and stops the server. */
async function fill(count: number): Promise<void> {
  const client = connect((await ensure()).url);
  for (let index = 0; index < count; index += 1) await client.set(`key${index}`, "x".repeat(200_000));
  await closeAll();
  await stopPrivateRedis(folder, never);
}

function rewriteFile(change: (bytes: Buffer) => Buffer): number {
  const file = ["appendonlydir/appendonly.aof.1.incr.aof", "appendonly.aof"]
    .map((name) => join(folder, name))
    .find((name) => statSync(name, { throwIfNoEntry: false }));
  if (file === undefined) throw new Error("no append-only file");
  const bytes = change(readFileSync(file));
  writeFileSync(file, bytes);
  return bytes.length;
}
