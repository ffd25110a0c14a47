import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { beat } from "./beat.js";
import type { Keys } from "./keys.js";
import { loadScript, type Redis } from "./redis.js";

/** A process that dies without a word is known dead after this long; one that a busy machine lets wait is not, until then. */
const PRESENCE_MS = 8000;
const BEAT_MS = 1500;

/** What ran out while Redis was away and nobody else has taken is taken again. */
const RENEW = {
  name: "cardbatchRenewLease",
  keys: 1,
  lua: `
    local holder = redis.call('GET', KEYS[1])
    if not holder or holder == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end`,
};
const RELEASE = {
  name: "cardbatchReleaseLease",
  keys: 1,
  lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`,
};

/** This process as the others see it: alive while it beats, and holding what only one may hold. */
export interface Presence {
  /** Unique to this process, until it ends. */
  readonly id: string;
  /** Takes what only one live process may have; false when another has it. Kept, and had again for the asking, until `close`. */
  acquire(what: string): Promise<boolean>;
  /** Gives back what was acquired, once for each time. */
  release(what: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts to beat; the caller can rely on being seen when it returns. */
export async function openPresence(redis: Redis, keys: Keys): Promise<Presence> {
  const id = `${pidSpace()}/${process.pid}/${randomBytes(6).toString("base64url")}`;
  const renew = loadScript(redis, RENEW);
  const release = loadScript(redis, RELEASE);
  /** How often each was acquired. */
  const leases = new Map<string, number>();
  const renewAll = async () => {
    await redis.set(keys.owner(id), "1", "PX", PRESENCE_MS);
    for (const lease of leases.keys()) await renew(lease, id, PRESENCE_MS);
  };
  await renewAll();
  const stopBeating = beat(BEAT_MS, renewAll, () => {});
  return {
    id,
    acquire: async (what) => {
      const lease = keys.lease(what);
      if (!(await tryLease(redis, lease, id)) && !(await takeFromDead(redis, release, lease, id))) return false;
      leases.set(lease, (leases.get(lease) ?? 0) + 1);
      return true;
    },
    release: async (what) => {
      const lease = keys.lease(what);
      const times = leases.get(lease) ?? 0;
      if (times > 1) leases.set(lease, times - 1);
      else if (leases.delete(lease)) await release(lease, id);
    },
    close: async () => {
      stopBeating();
      for (const lease of leases.keys()) await release(lease, id);
      await redis.del(keys.owner(id));
    },
  };
}

async function tryLease(redis: Redis, lease: string, id: string): Promise<boolean> {
  return (await redis.set(lease, id, "PX", PRESENCE_MS, "NX")) === "OK";
}

/** On the same machine nobody has to wait for a dead process's lease to run out. */
async function takeFromDead(
  redis: Redis,
  release: (...args: string[]) => Promise<unknown>,
  lease: string,
  id: string,
): Promise<boolean> {
  const holder = await redis.get(lease);
  if (holder === null) return tryLease(redis, lease, id);
  if (holder === id) return true;
  const [, space, pid] = /^(.*)\/(\d+)\/[^/]*$/.exec(holder) ?? [];
  if (space !== pidSpace() || isAlive(Number(pid))) return false;
  await release(lease, holder);
  return tryLease(redis, lease, id);
}

/** Within which a process id means one process: a machine, and where there are several on one, its container. */
function pidSpace(): string {
  try {
    return `${hostname()}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
