import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FAILPOINTS, type Failpoint } from "../../src/app/failpoint.js";
import { answerKey } from "../../src/domain/answer.js";
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
import { drawPng } from "../helpers/png.js";
import { seededRandom } from "../helpers/random.js";
import { openTestRedis } from "../helpers/redis.js";

const KILLS = Number(process.env.CARDBATCH_TEST_KILLS ?? (IS_LONG ? 300 : 18));
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 3);
/** A round is a batch of its own, of pictures that were never seen; rounds go on until all kills are made. */
const IMAGES = IS_LONG ? 2000 : 300;
const WORKERS = 2;
const CONCURRENCY = 8;
const RATE = 50;
const LATENCY_MS = 60;
/** A page passes each place once: the kill comes when so many have passed it. */
const MOST_PASSED = 6;
const LOOK_MS = 100;
/** A machine that does much else is slow to start processes, and a short form has few deaths to choose from. */
const RECOVERED_MS = IS_LONG ? 10_000 : 30_000;

const MOST_TAKEN_FOR_DEAD = IS_LONG ? 3 : 2;

/** Pictures here are sent as they are, and no sink follows the files: nobody gets there. */
const NEVER_REACHED: readonly Failpoint[] = ["decoding", "followed"];
const PLACES = FAILPOINTS.filter((place) => !NEVER_REACHED.includes(place));

let place: Place;
let emulator: RunningEmulator;

const redis = openTestRedis();
beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", String(LATENCY_MS)]);
});
afterAll(() => place.close());

/** A job that a killed process was at. */
interface Orphan {
  readonly job: string;
  readonly starts: number;
  readonly diedAtMs: number;
  recoveredMs: number | null;
}

it("ends every request in one outcome, whoever dies where", { timeout: 3600_000 }, async () => {
  const random = seededRandom(SEED);
  const orphans: Orphan[] = [];
  /** Calls that were marked as sent when their process died, by the page's answer key. */
  const underWay: string[] = [];
  const killedAt = new Map<Failpoint, number>();
  const { provider, env } = callerSettings(emulator.url, "appcode");
  const options = ["--provider", provider, "--rate", String(RATE), "--concurrency", String(CONCURRENCY)];
  const deck = shuffledPlaces(random);
  let kills = 0;
  let isOver = false;

  /** Starts it again as often as it is killed; resolves when it ends by itself. */
  const keepAlive = async (args: readonly string[], canDieAt: (where: Failpoint) => boolean): Promise<Running> => {
    for (;;) {
      const where = kills < KILLS ? deck.draw(canDieAt) : null;
      // Outcomes are recorded many at a time.
      const times = where === "recorded" ? 1 : 1 + Math.floor(random() * MOST_PASSED);
      const running = place.start(args, where === null ? env : { ...env, CARDBATCH_KILL_AT: `${where}:${times}` });
      running.child.once("exit", (_code, signal) => {
        if (signal !== "SIGKILL" || where === null) return;
        kills++;
        killedAt.set(where, (killedAt.get(where) ?? 0) + 1);
      });
      const stop = isOver ? null : watchForEnd(running, () => isOver);
      const { signal } = await running.done;
      await stop;
      if (signal !== "SIGKILL") {
        if (where !== null) deck.putBack(where);
        return running;
      }
      orphans.push(...(await orphansOf(running.child.pid ?? 0)));
      underWay.push(...(await callsOf(running.child.pid ?? 0)));
    }
  };
  const watching = watchOrphans(orphans, () => isOver);
  // Who writes nothing down never gets to where outcomes are recorded.
  const workers = Array.from({ length: WORKERS }, () =>
    keepAlive(["worker", ...options], (where) => where !== "recorded"),
  );
  // One that lives, so that what is measured is how soon somebody else goes on, and not how soon processes start.
  workers.push(keepAlive(["worker", ...options], () => false));
  let rounds = 0;
  const counted = { calls: 0, uncertain: 0 };
  while (rounds === 0 || (kills < KILLS && rounds < KILLS)) {
    const [archive, out, batch] = [`archive-${rounds}`, `out-${rounds}`, `round-${rounds}`];
    await drawArchive(place.path(archive), IMAGES, rounds * IMAGES);
    const run = await keepAlive(["run", archive, ...options, "--out", out, "--batch", batch], () => true);
    const { code, stderr } = await run.done;
    expect(code, stderr).toBe(0);
    const summary = readSummary(place.path(out));
    const { all } = readOut(place.path(out));
    expect(all.length).toBe(IMAGES);
    expect(new Set(all.map(({ request }) => request)).size).toBe(IMAGES);
    expect(summary).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0, complete: true });
    counted.calls += summary.calls;
    counted.uncertain += summary.uncertainCalls;
    rounds++;
  }
  isOver = true;
  await Promise.all([...workers, watching]);

  const { totals, images } = await emulator.report();
  const extraCalls = totals.calls - rounds * IMAGES;
  // A call that was marked as sent and never went out is counted all the same: nobody can know. What is counted beyond that are
  // calls of processes that lived, and that the machine let wait until they were taken for dead.
  const takenForDead = counted.calls - rounds * IMAGES - underWay.length;
  const recoveries = orphans.map(({ recoveredMs }) => recoveredMs ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const p95 = recoveries[Math.ceil(recoveries.length * 0.95) - 1] ?? 0;
  console.log(
    [
      `seed ${SEED}: ${kills} kills (${[...killedAt].map(([where, count]) => `${where} ${count}`).join(", ")}), ${rounds * IMAGES} images`,
      `${extraCalls} extra calls, ${underWay.length} calls under way at kills, ${counted.uncertain} counted as uncertain, ${takenForDead} of live processes taken for dead`,
      `${orphans.length} jobs in work at kills, begun again after p50 ${recoveries[recoveries.length >> 1]} ms, p95 ${p95} ms`,
    ].join("\n  "),
  );
  // Each call that was under way may be made once more; nothing that was answered and stored is called for again.
  const allowed = new Map<string, number>();
  for (const mark of underWay) allowed.set(mark, (allowed.get(mark) ?? 0) + 1);
  const tooOften = Array.from({ length: rounds * IMAGES }, (_, i) => imageKeyOf(i)).filter(
    (key) => (images[key]?.calls ?? 0) > 1 + (allowed.get(markOf(key)) ?? 0),
  );
  expect(tooOften.length).toBeLessThanOrEqual(takenForDead);
  expect(takenForDead).toBeLessThanOrEqual(MOST_TAKEN_FOR_DEAD);
  expect(Object.keys(images).length).toBe(rounds * IMAGES);
  expect(extraCalls).toBeLessThanOrEqual(underWay.length + takenForDead);
  expect(counted.uncertain).toBe(underWay.length);
  expect(p95).toBeLessThanOrEqual(RECOVERED_MS);
  expect(kills).toBeGreaterThanOrEqual(KILLS);
  expect([...killedAt.keys()].sort()).toEqual([...PLACES].sort());
});

/** All places in turn, in an order of its own each time. */
function shuffledPlaces(random: () => number) {
  let left: Failpoint[] = [];
  return {
    draw: (isPossible: (where: Failpoint) => boolean): Failpoint | null => {
      if (!left.some(isPossible) && PLACES.some(isPossible)) {
        left = [
          ...left,
          ...PLACES.map((where) => ({ where, at: random() }))
            .sort((a, b) => a.at - b.at)
            .map(({ where }) => where),
        ];
      }
      const next = left.findIndex(isPossible);
      if (next < 0) return null;
      return left.splice(next, 1)[0] ?? null;
    },
    putBack: (where: Failpoint) => void left.push(where),
  };
}

/** Asks it to stop once everything is over. */
async function watchForEnd(running: Running, isOver: () => boolean): Promise<void> {
  while (running.child.exitCode === null && running.child.signalCode === null) {
    if (isOver()) running.kill("SIGTERM");
    await Promise.race([running.done, sleep(LOOK_MS * 5)]);
  }
}

function jobKey(job: string): string {
  return `${place.env.CARDBATCH_PREFIX}:card-images:${job}`;
}

/** The jobs that a process was at when it died. */
async function orphansOf(pid: number): Promise<Orphan[]> {
  const diedAtMs = performance.now();
  const jobs = await redis.redis.lrange(jobKey("active"), 0, -1);
  const facts = await Promise.all(jobs.map((job) => redis.redis.hmget(jobKey(job), "pb", "ats")));
  return jobs.flatMap((job, i) => {
    const [by, starts] = facts[i] ?? [];
    return by === String(pid) ? [{ job, starts: Number(starts), diedAtMs, recoveredMs: null }] : [];
  });
}

/** The calls of a process that has just died, by the marks it left. */
async function callsOf(pid: number): Promise<string[]> {
  const found: string[] = [];
  for await (const names of redis.redis.scanStream({ match: `${place.env.CARDBATCH_PREFIX}:fly:*`, count: 1000 })) {
    if (names.length === 0) continue;
    const marks = await redis.redis.mget(names as string[]);
    for (const [i, mark] of marks.entries()) {
      const [, holder, deadline] = /^.*\/(\d+)\/[^/|]*\|(\d*)\|/.exec(mark ?? "") ?? [];
      if (Number(holder) === pid && deadline !== "") found.push(String(names[i]).split(":").at(-1) ?? "");
    }
  }
  return found;
}

/** Notes when each job was begun again. */
async function watchOrphans(orphans: readonly Orphan[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const left = orphans.filter(({ recoveredMs }) => recoveredMs === null);
    const starts = await Promise.all(left.map(({ job }) => redis.redis.hget(jobKey(job), "ats")));
    for (const [i, orphan] of left.entries()) {
      if (Number(starts[i] ?? Number.POSITIVE_INFINITY) > orphan.starts) {
        orphan.recoveredMs = Math.round(performance.now() - orphan.diedAtMs);
      }
    }
    await sleep(LOOK_MS);
  }
}

function imageKeyOf(number: number): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(drawPng(number)).digest("hex")}`;
}

function markOf(imageKey: `sha256:${string}`): string {
  return answerKey(imageKey, 0, "shiliuai", "");
}
