import { stat } from "node:fs/promises";
import type { App } from "../app.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { CardbatchError, ConfigError, UsageError } from "../domain/errors.js";
import type { CardbatchEvent } from "../domain/events.js";
import type { Schedule, ScheduledRun } from "../domain/schedule.js";
import type { Summary } from "../results/summary.js";
import type { RunReport } from "../schedule/scheduler.js";
import { type OpenedSources, openSources } from "./feeding.js";
import { type RunReport as FinishedRun, finish } from "./finish-run.js";
import { appendReport, readLastReport } from "./report-file.js";
import { runBatch } from "./run-batch.js";
import { openKept } from "./schedule-store.js";
import { tellNight } from "./tell-night.js";
import type { Ending, RunProgress } from "./watch-run.js";
import type { Working } from "./working.js";

export interface NightlyOptions {
  /** Who works on it. @default the run itself */
  readonly working?: Working;
  /** Opens every file this time. @default what the schedule says */
  readonly rehash?: boolean;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Makes the page of one run. @default none */
  readonly page?: () => NightPage;
}

/** A page about one run for people, which a face makes. */
export interface NightPage {
  observe(event: CardbatchEvent): void;
  show(progress: RunProgress): void;
  write(folder: string, report: FinishedRun, ending: Ending["kind"]): Promise<void>;
}

/** What a run tells: a line of the report, and what the webhook is sent. */
export interface NightReport extends RunReport {
  readonly schema: 1;
  readonly schedule: string;
  readonly run: string;
  readonly byHand: boolean;
  readonly missed: number;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** As `summary.json`; null: the run ended before there was any. */
  readonly summary: Omit<Summary, "keyring"> | null;
}

/** Whether this process sees a schedule's sources, and the place of its results. */
export async function canRunHere({ config }: Pick<App, "config">, schedule: Schedule): Promise<boolean> {
  try {
    await sourcesOf(config, schedule);
    return (await stat(schedule.out)).isDirectory();
  } catch {
    return false;
  }
}

async function sourcesOf(config: App["config"], { sources, encoding }: Schedule): Promise<OpenedSources> {
  return openSources(config, await openKept(config, sources), encoding);
}

/**
 * Reads what is new in a schedule's sources, start to end, and writes the report.
 * @returns null when it was stopped: called again for the same run it goes on
 */
export async function runNight(
  app: App,
  schedule: Schedule,
  run: ScheduledRun,
  options: NightlyOptions,
  stop: StopSignals,
): Promise<NightReport | null> {
  const report = await reportOf(app, schedule, run, options, stop);
  if (report !== null && schedule.webhook !== null) await tellNight(app, schedule.webhook, report, stop.soft);
  return report;
}

/** Whose process died after the report was written has run. */
async function reportOf(
  app: App,
  schedule: Schedule,
  run: ScheduledRun,
  options: NightlyOptions,
  stop: StopSignals,
): Promise<NightReport | null> {
  const written = await readLastReport(schedule.report).catch(() => null);
  if (written?.run === run.id) return written as NightReport;
  const night = await tryNight(app, schedule, options, stop);
  if (night === null) return null;
  const report = {
    schema: 1,
    schedule: schedule.name,
    run: run.id,
    byHand: run.byHand,
    missed: run.missed,
    startedAt: new Date(run.startedAtMs).toISOString(),
    finishedAt: new Date().toISOString(),
    ...night,
  } as const;
  await appendReport(schedule.report, report).catch((error: unknown) =>
    app.emit({ type: "fault", where: "schedule report", error }),
  );
  return report;
}

type Night = RunReport & Pick<NightReport, "summary">;

async function tryNight(
  app: App,
  schedule: Schedule,
  options: NightlyOptions,
  stop: StopSignals,
): Promise<Night | null> {
  try {
    return await readNew(app, schedule, options, stop);
  } catch (error) {
    if (stop.soft.aborted) return null;
    app.emit({ type: "fault", where: `schedule ${schedule.name}`, error });
    return { result: "failed", reason: reasonOf(error), opened: 0, unchanged: 0, calls: 0, summary: null };
  }
}

async function readNew(
  app: App,
  schedule: Schedule,
  { working, rehash = schedule.rehash, onProgress = () => {}, page: makePage }: NightlyOptions,
  stop: StopSignals,
): Promise<Night | null> {
  const { name, providers, destination, out, limit, backlog, patienceMs, terms, concurrency, allowEmpty } = schedule;
  const its = { ...app, config: configOf(app.config, schedule) };
  const sources = await sourcesOf(app.config, schedule);
  const options = { name, sources, providers, destination, out, limit, backlog, patienceMs, terms, concurrency };
  const page = makePage?.();
  const unlisten = app.onEvent((event) => page?.observe(event));
  const running = runBatch(
    its,
    {
      ...options,
      refresh: false,
      files: rehash ? "all" : "changed",
      mayBeEmpty: true,
      onProgress: (progress) => {
        onProgress(progress);
        page?.show(progress);
      },
      ...(working === undefined ? {} : { working }),
    },
    stop,
  );
  const result = await running.finally(unlisten);
  if (result.ending.kind === "interrupted") return null;
  const finished = await finish(its, result, schedule.csv ? { csv: true } : {});
  await page?.write(result.folder, finished, result.ending.kind);
  const { summary, mismatch } = finished;
  const { keyring: _keyring, ...rest } = summary;
  const { listed, opened, unchanged } = result.feed;
  const isEmpty = listed + unchanged === 0 && !allowEmpty;
  const failure =
    describeEnding(result.ending) ??
    mismatch ??
    (isEmpty ? "the sources hold no image; are they mounted? (--allow-empty takes that for normal)" : null);
  const [behind] = result.behind;
  return {
    result: failure === null ? "succeeded" : "failed",
    reason:
      failure ?? (behind === undefined ? null : `${behind} lacks outcomes that are in --out; the next run brings them`),
    opened,
    unchanged,
    calls: summary.thisRun.calls,
    summary: rest,
  };
}

/** The settings of this process with what the schedule says over them. */
function configOf(config: App["config"], { providers, rate, sinks }: Schedule): App["config"] {
  const rated = rate === null ? {} : Object.fromEntries(providers.map((name) => [name, { ...config[name], rate }]));
  return { ...config, ...rated, sinks: [...new Set([...config.sinks, ...sinks])] };
}

/** Null: it is complete. */
function describeEnding(ending: Ending): string | null {
  switch (ending.kind) {
    case "complete":
      return null;
    case "interrupted":
      return "stopped";
    case "provider-stopped":
    case "provider-unavailable":
      return `${ending.error.message}: ${ending.error.hint}`;
    case "cancelled":
      return "the batch was cancelled";
    case "budget-spent":
      return "no call is left in --max-calls or --budget; add the schedule again with a higher limit";
    case "lost":
      return "pages have no outcome, and nothing is left to do for them; see `cardbatch reconcile`";
  }
}

/** Messages of ours say what to do and hold no secret; of others nothing is known. */
function reasonOf(error: unknown): string {
  if (error instanceof CardbatchError) return `${error.message}: ${error.hint}`;
  return error instanceof UsageError || error instanceof ConfigError
    ? error.message
    : "an unexpected fault; see the log";
}
