import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openPresence } from "../../src/queue/presence.js";
import { openTestRedis } from "../helpers/redis.js";

const { url, redis, keys, connect } = openTestRedis();
const SCRIPT = fileURLToPath(new URL("./presence-process.mjs", import.meta.url));

/** Another process of this machine that holds a lease. */
async function startHolder(what: string) {
  const child = spawn(process.execPath, [SCRIPT, url, keys.prefix, what], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(child.stdout, "data");
  expect(String(said)).toBe("held\n");
  return {
    kill: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

describe("a process", () => {
  test("is seen as long as it lives, and is another one each time", async () => {
    const [one, two] = [await openPresence(redis, keys), await openPresence(redis, keys)];
    expect(one.id).not.toBe(two.id);
    expect(one.id).not.toContain("|");
    expect(await redis.exists(keys.owner(one.id), keys.owner(two.id))).toBe(2);
    await one.close();
    expect(await redis.exists(keys.owner(one.id))).toBe(0);
    await two.close();
  });

  test("that dies without a word is gone within 8 s", async () => {
    const presence = await openPresence(redis, keys);
    expect(await redis.pttl(keys.owner(presence.id))).toBeGreaterThan(0);
    expect(await redis.pttl(keys.owner(presence.id))).toBeLessThanOrEqual(8000);
    await presence.close();
  });
});

describe("a lease", () => {
  test("is one's own, and had again for the asking, until it is closed", async () => {
    const [one, two] = [await openPresence(redis, keys), await openPresence(connect(), keys)];
    expect(await one.acquire("batch:a")).toBe(true);
    expect(await one.acquire("batch:a")).toBe(true);
    expect(await two.acquire("batch:a")).toBe(false);
    expect(await two.acquire("batch:b")).toBe(true);
    await one.close();
    expect(await two.acquire("batch:a")).toBe(true);
    await two.close();
  });

  test("is given back by releasing it as often as it was acquired", async () => {
    const [one, two] = [await openPresence(redis, keys), await openPresence(connect(), keys)];
    await one.acquire("batch:shared");
    await one.acquire("batch:shared");
    await one.release("batch:shared");
    expect(await two.acquire("batch:shared")).toBe(false);
    await one.release("batch:shared");
    expect(await two.acquire("batch:shared")).toBe(true);
    await one.release("batch:shared");
    expect(await one.acquire("batch:shared")).toBe(false);
    await one.close();
    await two.close();
  });

  test("that ran out while Redis was away is taken again, unless somebody has it by now", async () => {
    const [one, two] = [await openPresence(redis, keys), await openPresence(connect(), keys)];
    for (const what of ["batch:kept", "batch:gone"]) expect(await one.acquire(what)).toBe(true);
    await redis.del(keys.lease("batch:kept"), keys.lease("batch:gone"));
    expect(await two.acquire("batch:gone")).toBe(true);
    await expect.poll(() => redis.get(keys.lease("batch:kept"))).toBe(one.id);
    expect(await redis.get(keys.lease("batch:gone"))).toBe(two.id);
    await one.close();
    await two.close();
  });

  test("is had by one of those who ask at once", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => openPresence(connect(), keys)));
    const had = await Promise.all(all.map((presence) => presence.acquire("batch:race")));
    expect(had.filter(Boolean)).toHaveLength(1);
    for (const presence of all) await presence.close();
  });

  test("of another process is respected while it lives, and taken at once when it was killed", async () => {
    const holder = await startHolder("batch:held");
    const presence = await openPresence(redis, keys);
    expect(await presence.acquire("batch:held")).toBe(false);
    await holder.kill();
    expect(await presence.acquire("batch:held")).toBe(true);
    await presence.close();
  });

  test.each([
    ["another machine", "elsewhere/4194304/x"],
    ["another container that has this machine's name", `${hostname()}/pid:[1]/4194304/x`],
    ["nobody that makes sense", "?"],
  ])("of %s is left to run out", async (_, holder) => {
    const presence = await openPresence(redis, keys);
    await redis.set(keys.lease("batch:far"), holder, "PX", 300);
    expect(await presence.acquire("batch:far")).toBe(false);
    await expect.poll(() => presence.acquire("batch:far"), { interval: 50 }).toBe(true);
    await presence.close();
  });

  test("that was lost is not released when somebody else has it by now", async () => {
    const presence = await openPresence(redis, keys);
    await presence.acquire("batch:lost");
    await redis.set(keys.lease("batch:lost"), "elsewhere/1/x");
    await presence.close();
    expect(await redis.get(keys.lease("batch:lost"))).toBe("elsewhere/1/x");
  });
});
