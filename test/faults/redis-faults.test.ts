import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { type FaultProxy, openFaultProxy } from "../helpers/fault-proxy.js";
import { type RedisServer, startRedisServer } from "../helpers/redis-server.js";

/** Enough for all faults; a batch that ends before them has failed the test. */
const RATE = 20;
const IMAGES = RATE * (IS_LONG ? 300 : 50);
const CONCURRENCY = 8;
const BATCH = "faults";
const LOOK_MS = 50;
const OUTAGE_MS = IS_LONG ? 60_000 : 8000;
const FAULT_MS = IS_LONG ? 15_000 : 2500;
/** Longer than a connection may be silent, and than a lock lasts. */
const SILENT_MS = IS_LONG ? 20_000 : 8000;

interface Fault {
  readonly what: string;
  /** What the run must have said meanwhile; null: nothing that a person would care about. */
  readonly says: RegExp | null;
  begin(): Promise<unknown>;
  /** How long it lasts. */
  readonly ms: number;
  end(): Promise<unknown>;
}

let place: Place;
let server: RedisServer;
let proxy: FaultProxy;
let emulator: RunningEmulator;
let run: Running;
let worker: Running;

const config = (name: string, value: string) => server.redis.config("SET", name, value);
const nothing = async () => {};

const FAULTS: readonly Fault[] = [
  {
    what: "all connections are killed",
    says: null,
    begin: () => server.redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    ms: 0,
    end: nothing,
  },
  {
    what: "all commands are paused",
    says: null,
    begin: () => server.redis.client("PAUSE", 2000),
    ms: 2500,
    end: nothing,
  },
  {
    what: "the line is slow",
    says: null,
    begin: () => proxy.setFault({ kind: "delay", ms: 80 }),
    ms: FAULT_MS,
    end: () => proxy.setFault(null),
  },
  {
    what: "replies break off in their middle",
    says: null,
    begin: () => proxy.setFault({ kind: "cut", afterBytes: 7 }),
    ms: 1000,
    end: () => proxy.setFault(null),
  },
  {
    what: "connections are half-open",
    says: /Redis does not answer/,
    begin: () => proxy.setFault({ kind: "silent" }),
    ms: SILENT_MS,
    end: () => proxy.setFault(null),
  },
  {
    what: "nobody listens",
    says: /Redis cannot be reached/,
    begin: () => proxy.setFault({ kind: "refuse" }),
    ms: FAULT_MS,
    end: () => proxy.setFault(null),
  },
  {
    what: "it has no memory left",
    says: /Redis is full/,
    begin: () => config("maxmemory", "1mb"),
    ms: FAULT_MS,
    end: () => config("maxmemory", "0"),
  },
  {
    what: "it is a replica",
    says: /replica/,
    begin: () => server.redis.replicaof("127.0.0.1", 1),
    ms: FAULT_MS,
    end: () => server.redis.replicaof("NO", "ONE"),
  },
  {
    what: "it is killed and away for a while",
    says: /Redis cannot be reached/,
    begin: () => server.kill(),
    ms: OUTAGE_MS,
    end: () => server.start(),
  },
];

beforeAll(async () => {
  server = await startRedisServer();
  proxy = await openFaultProxy(server.url);
  place = openPlace(proxy.url);
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "300"]);
  const { provider, env } = callerSettings(emulator.url);
  const options = ["--provider", provider, "--rate", String(RATE), "--concurrency", String(CONCURRENCY)];
  run = place.start(["run", "archive", ...options, "--batch", BATCH, "--out", "out"], env);
  worker = place.start(["worker", ...options], env);
  await reach(10);
});
afterAll(async () => {
  await place.close();
  await proxy.close();
  await server.close();
});

describe.sequential("goes on by itself when", () => {
  it.each(FAULTS)("$what", { timeout: 120_000 }, async ({ what, says, begin, ms, end }) => {
    const said = run.stderr().length;
    await begin();
    await sleep(ms);
    await end();
    const endedAt = performance.now();
    await reach((await pagesDone()) + 1);
    const backMs = performance.now() - endedAt;
    await reach((await pagesDone()) + RATE);
    console.log(`${what}: the first outcome after ${Math.round(backMs)} ms`);
    const news = run.stderr().slice(said);
    if (says === null) return;
    expect(news).toMatch(says);
    expect(news).toMatch(/going on by itself/);
    expect(news).toMatch(/Redis is back after \d+ s/);
  });

  it("and in the end every page has one outcome, and was paid once", { timeout: 600_000 }, async () => {
    const { code, stderr } = await run.done;
    worker.kill("SIGTERM");
    const { stderr: workerSaid } = await worker.done;
    expect(code, stderr).toBe(0);
    expect(`${stderr}${workerSaid}`).not.toMatch(/"msg":"fault"/);
    const { all } = readOut(place.path("out"));
    expect(all.length).toBe(IMAGES);
    expect(new Set(all.map(({ request }) => request)).size).toBe(IMAGES);
    const { totals } = await emulator.report();
    console.log(`${totals.calls - IMAGES} extra calls of ${IMAGES}`);
    expect(readSummary(place.path("out"))).toMatchObject({
      found: IMAGES,
      accepted: IMAGES,
      pending: 0,
      calls: totals.calls,
      uncertainCalls: 0,
    });
    // Who is too busy to say in time that he is alive may be taken for dead, with what he has under way.
    expect(totals.calls - IMAGES).toBeLessThanOrEqual(CONCURRENCY);
  });
});

async function pagesDone(): Promise<number> {
  const fields = await server.redis.hgetall(`${place.env.CARDBATCH_PREFIX}:batch:${BATCH}`);
  return Object.entries(fields).reduce(
    (sum, [name, value]) => sum + (name.startsWith("outcome:") ? Number(value) : 0),
    0,
  );
}

/** Until so many pages have their outcome. */
async function reach(pages: number): Promise<void> {
  while ((await pagesDone()) < pages) {
    if (run.child.exitCode !== null) throw new Error(`the run has ended: ${run.stderr()}`);
    await sleep(LOOK_MS);
  }
}
