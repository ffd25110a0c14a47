import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { openSources } from "../app/feeding.js";
import { type NightReport, runNight } from "../app/nightly.js";
import { createScheduleStore, keepSources, type ScheduleStore } from "../app/schedule-store.js";
import { openScheduler, tellSchedule } from "../app/scheduling.js";
import { webhookPolicyOf } from "../app/serving/parts.js";
import { type App, openApp } from "../app.js";
import { UsageError } from "../domain/errors.js";
import type { KnownSchedule, Schedule } from "../domain/schedule.js";
import { localTimeZone } from "../domain/window.js";
import { forgetFileMarks } from "../queue/file-marks.js";
import { planTicks } from "../queue/ticks.js";
import { dueTimes } from "../schedule/cron.js";
import { newWebhookSecret } from "../webhooks/sign.js";
import { findTargetFault } from "../webhooks/target.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { collect, parseTime } from "./option-values.js";
import { createProgress } from "./progress.js";
import { createNightPage } from "./report/night-page.js";
import { addRunOptions, type RunOptions } from "./run-options.js";
import { applyRunOptions, batchTerms, defaultBatchName, namedProviders } from "./run-terms.js";
import { addedText, endedText, scheduleText } from "./schedule-text.js";

const LATE_AFTER_MS = 6 * 3600_000;

interface AddOptions extends RunOptions {
  readonly cron: string;
  readonly source: readonly string[];
  readonly rehash?: true;
  readonly allowEmpty?: true;
  readonly report?: string;
  readonly webhook?: string;
  readonly lateAfter?: number;
}

interface OneOptions {
  readonly json?: true;
  readonly config?: string;
  readonly rehash?: true;
}

/** `cardbatch schedule …`: sources that are read again and again. */
export function addSchedule(program: Command, context: Context, exit: (code: number) => void): void {
  const schedule = program.command("schedule").description("nightly backfill: sources that are read again and again");
  addAdd(schedule, context);
  const command = (name: string, description: string) =>
    schedule
      .command(name)
      .description(description)
      .option("--json", "as JSON on stdout")
      .option("--config <file>", "settings as JSON");
  command("list", "what there is, when it runs next, and how the last run ended")
    .addHelpText("after", examples("schedule list", "schedule list --json"))
    .action((options: OneOptions) => withStore(options, context, (parts) => list(parts, options, context)));
  command("remove", "run it no more; what it has read stays, and what runs comes to its end")
    .argument("<name>", "as `schedule list` shows it")
    .addHelpText("after", examples("schedule remove archive"))
    .action((name: string, options: OneOptions) =>
      withStore(options, context, (parts) => remove(parts, name, options, context)),
    );
  command("run-now", "run it in this process, until it is done; the schedule goes on as before")
    .argument("<name>", "as `schedule list` shows it")
    .option("--rehash", "open every file, changed or not")
    .addHelpText("after", examples("schedule run-now archive", "schedule run-now archive --rehash --json"))
    .action(async (name: string, options: OneOptions) =>
      exit(await withStore(options, context, (parts) => runNow(parts, name, options, context))),
    );
}

function addAdd(schedule: Command, context: Context): void {
  const command = schedule
    .command("add")
    .description("run sources again and again, each time what is new or has changed; the same name again changes it")
    .requiredOption("--cron <expression>", 'minute, hour, day of month, month, day of week, such as "0 2 * * *"')
    .requiredOption(
      "--source <source>",
      "a folder, file, glob, manifest or s3://bucket/prefix; may be given several times",
      collect,
    );
  addRunOptions(command)
    .option("--rehash", "open every file in each run, changed or not")
    .option("--allow-empty", "a run that finds no image at all has not failed")
    .option("--report <file>", "where each run appends a line of JSON; default: schedule.ndjson in --out")
    .option("--webhook <url>", "where each run's report is sent, signed")
    .option("--late-after <time>", "so long a due run may take to succeed; default: 6h", parseTime)
    .addHelpText(
      "after",
      [
        "",
        "A worker or serve that sees the sources and --out runs it; of several, one. --tz is of --cron and of --window.",
        "--batch names it. --rate and --concurrency are of run-now: who runs it otherwise has its own.",
        examples(
          'schedule add --cron "0 2 * * *" --source /mnt/scans --provider huawei --out /srv/out --batch archive',
          'schedule add --cron "30 1 * * 1-5" --tz Asia/Shanghai --source s3://scans/inbox --provider local --allow-empty',
        ),
      ].join("\n"),
    )
    .action((options: AddOptions) => withStore(options, context, (parts) => add(parts, options, context)));
}

interface Parts {
  readonly app: App;
  readonly store: ScheduleStore;
}

async function withStore<T>(
  { config }: { readonly config?: string },
  context: Context,
  act: (parts: Parts) => Promise<T>,
): Promise<T> {
  const app = await openApp(context.config(config), context.surroundings, context.stop.soft);
  leaveWithoutRedis(app, context);
  try {
    return await act({ app, store: createScheduleStore(app) });
  } finally {
    context.terminal.live(null);
    await app.close();
  }
}

async function add({ app, store }: Parts, options: AddOptions, { terminal }: Context): Promise<void> {
  const { webhook, ...schedule } = await scheduleOf(app, options);
  const secret = webhook === null ? null : newWebhookSecret();
  const known = await store.get(schedule.name);
  const its: Schedule = { ...schedule, webhook: webhook === null || secret === null ? null : { url: webhook, secret } };
  await store.set(its, Date.now());
  await planTicks(app.redis, app.keys);
  const next = new Date(store.timesOf(its).next(Date.now()) ?? 0).toISOString();
  const { name, cron, tz, out } = its;
  const isNew = known === null;
  if (options.json === true)
    terminal.data(JSON.stringify({ schema: 1, schedule: name, isNew, cron, tz, next, out, webhookSecret: secret }));
  else {
    terminal.message(addedText(its, next, isNew));
    if (secret !== null) terminal.data(JSON.stringify({ webhookSecret: secret }));
  }
}

/** @throws UsageError, ConfigError for what makes no sense, now rather than at night */
async function scheduleOf(
  app: App,
  options: AddOptions,
): Promise<Omit<Schedule, "webhook"> & { webhook: string | null }> {
  if (options.refresh === true) throw new UsageError("--refresh: each run would pay for every image again");
  if (options.dryRun === true) throw new UsageError("--dry-run: try the sources with `cardbatch run … --dry-run`");
  if (options.truth !== undefined)
    throw new UsageError("--truth: compare with labels by `cardbatch run` or `evaluate`");
  const tz = options.tz ?? localTimeZone();
  dueTimes(options.cron, tz);
  const providers = namedProviders(options.provider, app.config);
  const config = applyRunOptions(app.config, options, providers);
  const { sources } = await openSources(config, options.source, options.encoding);
  const name = options.batch ?? defaultBatchName(sources, providers);
  const out = resolve(options.out);
  await mkdir(out, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--out ${options.out}: cannot be made (${error.code})`);
  });
  const fault =
    options.webhook === undefined ? null : findTargetFault(options.webhook, webhookPolicyOf(config.webhookAllow));
  if (fault !== null) throw new UsageError(`--webhook: the address ${fault}`);
  return {
    name,
    cron: options.cron,
    tz,
    sources: await keepSources(config, options.source),
    encoding: options.encoding,
    providers: [...providers],
    out,
    csv: options.csv === true,
    sinks: [...(options.sink ?? [])],
    destination: options.destination ?? name,
    rate: options.rate ?? null,
    concurrency: options.concurrency ?? null,
    limit: options.limit ?? null,
    backlog: options.backlog,
    patienceMs: options.patience,
    terms: batchTerms(options, config, providers),
    rehash: options.rehash === true,
    allowEmpty: options.allowEmpty === true,
    report: options.report === undefined ? join(out, "schedule.ndjson") : resolve(options.report),
    webhook: options.webhook ?? null,
    lateAfterMs: options.lateAfter ?? LATE_AFTER_MS,
  };
}

async function list({ store }: Parts, { json }: OneOptions, { terminal }: Context): Promise<void> {
  const nowMs = Date.now();
  const all = (await store.list()).map((known) => tellSchedule(known, store, nowMs));
  if (json === true) return terminal.data(JSON.stringify({ schema: 1, schedules: all }));
  if (all.length === 0) return terminal.message("no schedule; make one with cardbatch schedule add --help");
  for (const each of all) terminal.data(scheduleText(each));
}

async function remove({ app, store }: Parts, name: string, { json }: OneOptions, { terminal }: Context): Promise<void> {
  if (!(await store.schedules.remove(name))) throw unknown(name);
  await forgetFileMarks(app.redis, app.keys, name);
  if (json === true) terminal.data(JSON.stringify({ schema: 1, schedule: name, removed: true }));
  else terminal.message(`schedule ${name}: removed; its batch and --out stay as they are`);
}

/** @returns the exit code */
async function runNow({ app, store }: Parts, name: string, options: OneOptions, context: Context): Promise<number> {
  const known = await store.get(name);
  if (known === null) throw unknown(name);
  const report = await runHere(app, store, known, options, context);
  if (report === null) return EXIT.interrupted;
  const { terminal } = context;
  if (options.json === true) terminal.data(JSON.stringify(report));
  else terminal.message(endedText(report));
  if (report.result === "failed") return EXIT.someFailed;
  return (report.summary?.failed ?? 0) > 0 ? EXIT.someFailed : EXIT.ok;
}

async function runHere(
  app: App,
  store: ScheduleStore,
  known: KnownSchedule,
  { rehash }: OneOptions,
  { terminal, stop, surroundings }: Context,
): Promise<NightReport | null> {
  const progress = createProgress(terminal);
  app.onEvent(progress.observe);
  let report: NightReport | null = null;
  const scheduler = openScheduler(app, store, async (schedule, run) => {
    report = await runNight(
      app,
      schedule,
      run,
      {
        onProgress: progress.show,
        page: () => createNightPage(surroundings.version),
        ...(rehash === undefined ? {} : { rehash }),
      },
      stop,
    );
    return report;
  });
  const result = await scheduler.runNow(known);
  progress.done();
  if (result === "busy") {
    throw new UsageError(
      `schedule ${known.schedule.name}: a run of it is going on, or this machine lacks its sources or --out`,
    );
  }
  return report;
}

function unknown(name: string): UsageError {
  return new UsageError(`schedule ${name}: there is none; see cardbatch schedule list`);
}
