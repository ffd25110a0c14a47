import { isAbsolute, join, resolve } from "node:path";
import type { App } from "../app.js";
import type { SourceFolder } from "../domain/batch.js";
import { SCHEDULE_FIELD } from "../domain/card-vault.js";
import { ConfigError } from "../domain/errors.js";
import { type DueTimes, definitionSchema, type KnownSchedule, type Schedule } from "../domain/schedule.js";
import { toReference } from "../intake/source.js";
import { createSchedules, type Schedules, type StoredSchedule } from "../queue/schedules.js";
import { dueTimes } from "../schedule/cron.js";
import { namedRoots } from "./readable-roots.js";

/** The schedules, with what they say; in Redis that is encrypted, since paths and addresses may hold what is nobody's business. */
export interface ScheduleStore {
  readonly schedules: Schedules;
  list(): Promise<KnownSchedule[]>;
  get(name: string): Promise<KnownSchedule | null>;
  set(schedule: Schedule, nowMs: number): Promise<void>;
  timesOf(schedule: Schedule): DueTimes;
}

export function createScheduleStore({ redis, keys, vault }: Pick<App, "redis" | "keys" | "vault">): ScheduleStore {
  const schedules = createSchedules(redis, keys);
  /** What was opened last, by what it looks like encrypted: it is looked at every few seconds. */
  const opened = new Map<string, { sealed: string; schedule: Schedule; times: DueTimes }>();
  const open = async ({ name, sealed, state }: StoredSchedule): Promise<KnownSchedule> => {
    let known = opened.get(name);
    if (known?.sealed !== sealed) {
      const text = await vault.openText(sealed, bindingOf(name));
      const schedule = { name, ...definitionSchema.parse(JSON.parse(text)) };
      known = { sealed, schedule, times: dueTimes(schedule.cron, schedule.tz) };
      opened.set(name, known);
    }
    return { schedule: known.schedule, state };
  };
  return {
    schedules,
    list: async () => Promise.all((await schedules.list()).map(open)),
    get: async (name) => {
      const stored = await schedules.get(name);
      return stored === null ? null : open(stored);
    },
    set: async ({ name, ...definition }, nowMs) => {
      await schedules.set(name, await vault.sealText(JSON.stringify(definition), bindingOf(name)), nowMs);
    },
    timesOf: ({ name, cron, tz }) => opened.get(name)?.times ?? dueTimes(cron, tz),
  };
}

function bindingOf(name: string) {
  return { request: name, field: SCHEDULE_FIELD } as const;
}

/** A place in a bucket. */
const IS_URL = /^[a-z0-9]+:\/\//;

/** Sources as they are kept: the same on every machine that has their root, wherever it is mounted. */
export async function keepSources(config: App["config"], names: readonly string[]): Promise<SourceFolder[]> {
  const roots = await namedRoots(config.roots ?? []);
  return names.map((name) => (IS_URL.test(name) ? { path: name } : toReference(resolve(name), roots)));
}

/** The same as arguments, on this machine. @throws ConfigError when it lacks the root */
export async function openKept(config: App["config"], kept: readonly SourceFolder[]): Promise<string[]> {
  const roots = await namedRoots(config.roots ?? []);
  return kept.map(({ root, path }) => {
    if (root === undefined) return path;
    const folder = roots.get(root);
    if (folder === undefined)
      throw new ConfigError(`CARDBATCH_ROOTS: a schedule's source lies in ${root}, which is not there`);
    return isAbsolute(path) ? path : join(folder, path);
  });
}
