import { expect, test } from "vitest";
import type { CardbatchEvent } from "../../src/domain/events.js";
import {
  isLate,
  type KnownSchedule,
  overdueSince,
  type Schedule,
  type ScheduledRun,
} from "../../src/domain/schedule.js";
import { createSchedules } from "../../src/queue/schedules.js";
import { dueTimes } from "../../src/schedule/cron.js";
import { createScheduler, type RunReport, type Scheduler } from "../../src/schedule/scheduler.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys, connect } = openTestRedis();
const HOUR_MS = 3600_000;
const SUCCEEDED: RunReport = { result: "succeeded", reason: null, opened: 0, unchanged: 0, calls: 0 };
const times = dueTimes("0 2 * * *", "Asia/Shanghai");
const at = (text: string) => Date.parse(`2026-11-${text}:00+08:00`);

/** What the schedule says besides its name is the runner's concern. */
function nightly(name: string): Schedule {
  return { name, lateAfterMs: 6 * HOUR_MS } as Schedule;
}

/** Processes with one Redis, one clock that only the test moves, and runs that take as long as they are told to. */
function openWorld(name: string) {
  const schedules = createSchedules(redis, keys);
  const begun: string[] = [];
  const events: CardbatchEvent[] = [];
  const held = new Map<string, number>();
  let nowMs = at("16T12:00");
  let processes = 0;
  let runMs = HOUR_MS;

  const known = async (): Promise<KnownSchedule[]> => {
    const found = await schedules.get(name);
    return found === null ? [] : [{ schedule: nightly(name), state: found.state }];
  };
  /** Resolves when the clock has come so far; who dies never hears of it. */
  const sleepers: { untilMs: number; wake: () => void; isGone: () => boolean }[] = [];
  let woken = 0;
  const hasEnded = () => events.filter(({ type }) => type === "schedule-ended").length === woken;

  const startProcess = () => {
    const id = ++processes;
    const its = createSchedules(connect(), keys);
    let isDead = false;
    const run = (_: Schedule, { id: runId }: ScheduledRun, signal: AbortSignal) =>
      new Promise<RunReport | null>((resolve) => {
        begun.push(runId);
        signal.addEventListener("abort", () => resolve(null));
        const isGone = () => isDead || signal.aborted;
        sleepers.push({ untilMs: nowMs + runMs, wake: () => resolve(SUCCEEDED), isGone });
      });
    const scheduler: Scheduler = createScheduler({
      list: known,
      get: async () => (await known())[0] ?? null,
      begin: its.begin,
      refuse: its.refuse,
      end: its.end,
      acquire: async (what) => {
        if (!held.has(what)) held.set(what, id);
        return held.get(what) === id;
      },
      release: async (what) => void (!isDead && held.get(what) === id && held.delete(what)),
      timesOf: () => times,
      canRun: async () => true,
      run,
      now: () => nowMs,
      emit: (event) => void events.push(event),
    });
    return {
      look: scheduler.look,
      stop: scheduler.close,
      kill: () => {
        isDead = true;
        for (const [what, holder] of held) if (holder === id) held.delete(what);
      },
    };
  };

  /** Moves the clock in steps of half an hour, and has these processes look at each, all at once. */
  const pass = async (until: string, looking: readonly { look(): Promise<void> }[]) => {
    while (nowMs < at(until)) {
      nowMs += HOUR_MS / 2;
      for (const sleeper of sleepers.splice(0)) {
        if (sleeper.isGone()) continue;
        if (sleeper.untilMs > nowMs) {
          sleepers.push(sleeper);
        } else {
          woken++;
          sleeper.wake();
        }
      }
      while (!hasEnded()) await redis.ping();
      await Promise.all(looking.map(({ look }) => look()));
    }
  };
  return {
    begun,
    events,
    startProcess,
    pass,
    add: () => schedules.set(name, "sealed", nowMs),
    setRunMs: (ms: number) => {
      runMs = ms;
    },
    state: async () => {
      const [first] = await known();
      if (first === undefined) throw new Error("there is no schedule");
      return {
        ...first.state,
        overdueSince: overdueSince(times, first.state, nowMs),
        isLate: isLate(first, times, nowMs),
      };
    },
  };
}

const night = (day: number) => new Date(at(`${day}T02:00`)).toISOString();

test("a week with two processes and restarts: each night runs once, and what was missed is made up once", async () => {
  const world = openWorld("week");
  await world.add();
  let [one, two] = [world.startProcess(), world.startProcess()];

  await world.pass("18T12:00", [one, two]);
  expect(world.begun).toEqual([night(17), night(18)]);

  // Both are stopped and started again, at rest.
  await Promise.all([one.stop(), two.stop()]);
  [one, two] = [world.startProcess(), world.startProcess()];
  await world.pass("19T02:30", [one, two]);
  expect(world.begun.splice(0)).toEqual([night(17), night(18), night(19)]);

  // Whoever runs is killed in the middle, and the other goes on with the same run.
  one.kill();
  two.kill();
  [one, two] = [world.startProcess(), world.startProcess()];
  await world.pass("19T12:00", [one, two]);
  expect(world.begun.splice(0)).toEqual([night(19)]);
  expect(await world.state()).toMatchObject({ run: null, last: { id: night(19), missed: 0 }, isLate: false });

  // Nobody is there for two nights.
  await world.pass("21T12:00", []);
  expect(await world.state()).toMatchObject({ overdueSince: at("20T02:00"), isLate: true });
  await world.pass("21T14:00", [one, two]);
  expect(world.begun.splice(0)).toEqual([night(21)]);
  expect(await world.state()).toMatchObject({ last: { id: night(21), missed: 1 }, overdueSince: null, isLate: false });

  await world.pass("23T12:00", [one, two]);
  expect(world.begun).toEqual([night(22), night(23)]);
  expect(world.events.filter(({ type }) => type !== "schedule-ended")).toEqual([]);
});

test("a run that is stopped goes on when somebody looks again", async () => {
  const world = openWorld("stopped");
  await world.add();
  const one = world.startProcess();
  await world.pass("17T02:30", [one]);
  await one.stop();
  expect((await world.state()).run).toMatchObject({ id: night(17) });
  await world.pass("17T12:00", [world.startProcess()]);
  expect(world.begun).toEqual([night(17), night(17)]);
  expect(await world.state()).toMatchObject({ run: null, last: { id: night(17) } });
});

test("what is due while a run goes on is refused, and the night after runs again", async () => {
  const world = openWorld("long");
  await world.add();
  const processes = [world.startProcess(), world.startProcess()];
  world.setRunMs(30 * HOUR_MS);
  await world.pass("18T05:00", processes);
  expect(world.begun).toEqual([night(17)]);
  expect(world.events).toEqual([{ type: "schedule-refused", schedule: "long" }]);
  expect(await world.state()).toMatchObject({ refused: 1, isLate: true, run: { id: night(17) } });
  world.setRunMs(HOUR_MS);
  await world.pass("19T05:00", processes);
  expect(world.begun).toEqual([night(17), night(19)]);
  expect((await world.state()).isLate).toBe(false);
});

test("a schedule makes up nothing from before it was there, and forgets nothing when it is changed", async () => {
  const world = openWorld("new");
  await world.add();
  const one = world.startProcess();
  await world.pass("17T01:30", [one]);
  expect(world.begun).toEqual([]);
  await world.pass("17T05:00", [one]);
  await world.pass("18T03:00", []);
  await world.add();
  await world.pass("18T12:00", [one]);
  expect(world.begun).toEqual([night(17)]);
  expect((await world.state()).last).toMatchObject({ id: night(17) });
});
