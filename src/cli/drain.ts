import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { openSources } from "../app/feeding.js";
import { finish } from "../app/finish-run.js";
import { watchBudget } from "../app/limits.js";
import { createMetricsText } from "../app/metrics-text.js";
import { startWriting, type Writing } from "../app/writing.js";
import { type App, openApp } from "../app.js";
import type { Batch, BatchCounts } from "../domain/batch.js";
import { isOpen, opensAt } from "../domain/window.js";
import { startMetricsServer } from "../http/metrics-server.js";
import { assertLabels } from "../results/accuracy.js";
import { aborted, type Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { describeWindow } from "./progress.js";
import { createRunLog, type RunLog } from "./report/run-log.js";
import { writeReport } from "./report/write-report.js";
import { tellBehind } from "./run.js";
import { addSomeRunOptions, type RunOptions } from "./run-options.js";
import { applyRunOptions, defaultBatchName, namedProviders } from "./run-terms.js";
import { summaryText } from "./summary-text.js";
import { createPaint } from "./terminal.js";

const MEANINGFUL = [
  ...(["provider", "out", "batch", "csv", "sink", "tolerateFailures", "destination", "encoding"] as const),
  ...(["truth", "config", "metricsFile", "json"] as const),
];
const LOOK_MS = 200;
const TELL_EVERY_MS = 5000;

export function addDrain(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program
    .command("drain")
    .argument("[source...]", "the sources that the batch was enqueued from, instead of --batch");
  addSomeRunOptions(command, MEANINGFUL, context.terminal.message)
    .description("write outcomes down, until SIGTERM; with --batch until the batch is complete")
    .addHelpText("after", examples("drain --batch y2019 --out out", "drain --destination crm --out out/crm"))
    .action(async (sources: string[], options: RunOptions) => exit(await drain(sources, options, context)));
}

async function drain(names: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const config = applyRunOptions(context.config(options.config), options, []);
  await assertLabels(options.truth);
  const name = options.batch ?? (names.length === 0 ? null : await batchOfSources(names, options, context));
  const app = await openApp(config, context.surroundings, context.stop.soft);
  leaveWithoutRedis(app, context);
  try {
    await startMetricsServer(config, createMetricsText(app), app.defer, context.terminal.message);
    return name === null
      ? await drainDestination(app, options, context)
      : await drainBatch(app, name, options, context);
  } finally {
    await app.close();
  }
}

async function batchOfSources(names: readonly string[], options: RunOptions, context: Context): Promise<string> {
  const config = context.config(options.config);
  const { sources } = await openSources(config, names, options.encoding);
  return defaultBatchName(sources, namedProviders(options.provider, config));
}

/** Writes whatever comes to a destination. */
async function drainDestination(app: App, options: RunOptions, context: Context): Promise<number> {
  const { terminal, stop } = context;
  const destination = options.destination ?? null;
  const writing = await startWriting(app, options.out, destination, { batch: null, mayStartOver: false });
  terminal.message(`writing outcomes of ${destination ?? "the default destination"} to ${writing.folder}`);
  await aborted(stop.soft);
  await writing.close();
  terminal.message(`stopped; ${plural(writing.recorded(), "outcome")} written`);
  return tellBehind(writing.behind(), context) ? EXIT.someFailed : EXIT.ok;
}

/** Writes one batch's outcomes until all are there. */
async function drainBatch(app: App, name: string, options: RunOptions, context: Context): Promise<number> {
  const { terminal } = context;
  const startedAt = performance.now();
  const batch = await waitForBatch(app, name, context);
  if (batch === null) return EXIT.interrupted;
  const before = await app.batches.counts(name);
  const writing = await startWriting(app, options.out, options.destination ?? batch.destination, {
    batch,
    mayStartOver: false,
  });
  terminal.message(`writing outcomes of batch ${name} to ${writing.folder}`);
  const log = createRunLog();
  const ending = await watchBatch(app, batch, { writing, log }, context);
  await writing.close();
  const counts = await app.batches.counts(name);
  const feed = { listed: 0, enqueued: 0, ignored: 0, opened: 0, unchanged: 0, waiting: false };
  const seconds = (performance.now() - startedAt) / 1000;
  const result = { batch, before, counts, feed, folder: writing.folder, ending, seconds, behind: writing.behind() };
  const { summary, accuracy } = await finish(app, result, options);
  const { version } = context.surroundings;
  await writeReport(writing.folder, { summary, accuracy, story: log.story(), ending: ending.kind, version });
  if (options.json === true) terminal.data(JSON.stringify({ ...summary, accuracy }));
  else {
    const shown = {
      summary,
      accuracy,
      truth: options.truth ?? null,
      sources: [name],
      folder: options.out,
      ending,
    };
    terminal.message(summaryText(shown, createPaint(terminal.color), terminal.isTty ? terminal.columns() : undefined));
  }
  const isBehind = tellBehind(writing.behind(), context);
  if (ending.kind === "interrupted" || ending.kind === "cancelled") return EXIT.interrupted;
  if (ending.kind === "budget-spent") return EXIT.budget;
  if (isBehind) return EXIT.someFailed;
  return summary.failed > 0 && options.tolerateFailures !== true ? EXIT.someFailed : EXIT.ok;
}

/** A drain may be started before its enqueue. */
async function waitForBatch(app: App, name: string, { terminal, stop }: Context): Promise<Batch | null> {
  let told = false;
  while (!stop.soft.aborted) {
    const batch = await app.batches.get(name);
    if (batch !== null) return batch;
    if (!told) terminal.message(`batch ${name} is not enqueued yet; waiting for it`);
    told = true;
    await sleep(LOOK_MS, undefined, { signal: stop.soft }).catch(() => {});
  }
  return null;
}

interface Drained {
  readonly writing: Writing;
  readonly log: RunLog;
}

type DrainEnding = { readonly kind: "complete" | "interrupted" | "cancelled" | "budget-spent" };

async function watchBatch(
  app: App,
  batch: Batch,
  { writing, log }: Drained,
  { terminal, stop }: Context,
): Promise<DrainEnding> {
  const isBudgetSpent = watchBudget(app, batch.destination, batch.providers);
  let toldAtMs = performance.now();
  while (!stop.soft.aborted) {
    const counts = await app.batches.counts(batch.name);
    log.show({ counts, allowedRate: null });
    if (counts.fed && counts.pending <= 0 && counts.stale <= 0) return { kind: "complete" };
    if (counts.halt === "cancelled" && (await isQuiet(app, batch))) return { kind: "cancelled" };
    if (await isBudgetSpent(counts)) return { kind: "budget-spent" };
    if (performance.now() - toldAtMs > TELL_EVERY_MS) {
      toldAtMs = performance.now();
      terminal.message(describe(counts, writing, batch));
    }
    await sleep(LOOK_MS, undefined, { signal: stop.soft }).catch(() => {});
  }
  return { kind: "interrupted" };
}

/** Nothing of the batch is in work, and all that came of it is written. */
async function isQuiet({ images, outcomes }: App, { name, destination }: Batch): Promise<boolean> {
  return (await images.inWork(name)) === 0 && (await outcomes.unread(destination)) === 0;
}

function describe(counts: BatchCounts, writing: Writing, { window }: Batch): string {
  const written = `${count(counts.found - counts.pending)} of ${count(counts.found)} written, ${count(writing.recorded())} of them now`;
  if (window === null || isOpen(window, Date.now())) return written;
  return `${written}; ${describeWindow(window, opensAt(window, Date.now()))}`;
}
