import { relative } from "node:path";
import type { Command } from "commander";
import { openSources } from "../app/feeding.js";
import { finish, type RunReport } from "../app/finish-run.js";
import { createMetricsText } from "../app/metrics-text.js";
import { describeRate } from "../app/providers.js";
import { type RunResult, runBatch } from "../app/run-batch.js";
import type { Ending } from "../app/watch-run.js";
import { type App, openApp } from "../app.js";
import { assertAccounts } from "../config/vendor-auth.js";
import type { ProviderName } from "../domain/answer.js";
import { startMetricsServer } from "../http/metrics-server.js";
import { assertLabels } from "../results/accuracy.js";
import type { Context } from "./context.js";
import { tellDryRun } from "./dry-run.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { createProgress } from "./progress.js";
import { createRunLog } from "./report/run-log.js";
import { writeReport } from "./report/write-report.js";
import { addRunOptions, type RunOptions } from "./run-options.js";
import { applyRunOptions, batchTerms, defaultBatchName, namedProviders } from "./run-terms.js";
import { summaryText } from "./summary-text.js";
import { createPaint } from "./terminal.js";

export function addRun(program: Command, context: Context, exit: (code: number) => void): void {
  addRunOptions(
    program
      .command("run")
      .argument("<source...>", "folders, files, globs, s3://bucket/prefix, or manifests (.txt, .csv, .ndjson, .sql)"),
  )
    .description("read the cards of the sources, start to end, in one process; running it again resumes")
    .addHelpText(
      "after",
      examples(
        "run /mnt/scans --provider local",
        "run /mnt/scans --provider huawei --dry-run",
        "run list.csv --provider huawei,shiliuai --rate 20 --max-calls 5000 --out out/2019",
      ),
    )
    .action(async (sources: string[], options: RunOptions) => {
      const act = options.dryRun === true ? tellDryRun : run;
      exit(await act(sources, options, context));
    });
}

/** @returns the exit code */
export async function run(names: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const asConfigured = context.config(options.config);
  const providers = namedProviders(options.provider, asConfigured);
  assertAccounts(providers, asConfigured);
  const config = applyRunOptions(asConfigured, options, providers);
  const sources = await openSources(config, names, options.encoding);
  const name = options.batch ?? defaultBatchName(sources.sources, providers);
  const terms = batchTerms(options, config, providers);
  await assertLabels(options.truth);
  const app = await openApp(config, context.surroundings, context.stop.soft);
  leaveWithoutRedis(app, context);
  try {
    await startMetricsServer(app.config, createMetricsText(app), app.defer, context.terminal.message);
    announce(app, name, providers, context);
    const progress = createProgress(context.terminal);
    const log = createRunLog();
    app.onEvent(progress.observe);
    app.onEvent(log.observe);
    const result = await runBatch(
      app,
      {
        name,
        sources,
        providers,
        destination: options.destination ?? name,
        out: options.out,
        concurrency: options.concurrency ?? null,
        limit: options.limit ?? null,
        backlog: options.backlog,
        refresh: options.refresh === true,
        patienceMs: options.patience,
        terms,
        onProgress: (now) => {
          progress.show(now);
          log.show(now);
        },
      },
      context.stop,
    );
    progress.done();
    const report = await finish(app, result, options);
    const { version } = context.surroundings;
    await writeReport(result.folder, { ...report, story: log.story(), ending: result.ending.kind, version });
    print(result, report, names, options, context);
    if (report.mismatch !== null) {
      context.terminal.message(`cardbatch: ${report.mismatch}; run the batch into a new --out to have it written anew`);
      return EXIT.someFailed;
    }
    const code = exitCode(result.ending, report, options);
    return tellBehind(result.behind, context) && code === EXIT.ok ? EXIT.someFailed : code;
  } finally {
    context.terminal.live(null);
    await app.close();
  }
}

/** @returns whether a sink lacks outcomes */
export function tellBehind(behind: readonly string[], { terminal }: Pick<Context, "terminal">): boolean {
  for (const place of behind) {
    terminal.message(`cardbatch: ${place} lacks outcomes that are in --out; run it again, or drain it, once it works`);
  }
  return behind.length > 0;
}

function announce(app: App, batch: string, providers: readonly ProviderName[], { terminal }: Context): void {
  const paces = providers.map((name) => describeRate(name, app.config[name]));
  terminal.message(`batch ${batch}: ${paces.join(", then ")}; Redis: ${app.redisHow}`);
  if (app.config.allowHttp.length > 0) terminal.message(`plain http is allowed to ${app.config.allowHttp.join(", ")}`);
}

function print(
  result: RunResult,
  { summary, accuracy }: RunReport,
  sources: readonly string[],
  options: RunOptions,
  { terminal }: Context,
): void {
  if (options.json === true) {
    terminal.data(JSON.stringify({ ...summary, accuracy }));
    return;
  }
  const shown = relative(process.cwd(), result.folder) || ".";
  const text = summaryText(
    { summary, accuracy, truth: options.truth ?? null, sources, folder: shown, ending: result.ending },
    createPaint(terminal.color),
    terminal.isTty ? terminal.columns() : undefined,
  );
  terminal.message(text);
}

function exitCode(ending: Ending, { summary, accuracy }: RunReport, options: RunOptions): number {
  const failed = options.onlyLabelled === true ? (accuracy?.failed ?? 0) : summary.failed;
  switch (ending.kind) {
    case "interrupted":
    case "cancelled":
      return EXIT.interrupted;
    case "provider-stopped":
    case "provider-unavailable":
      return EXIT.providerUnavailable;
    case "budget-spent":
      return EXIT.budget;
    case "lost":
      return EXIT.someFailed;
    case "complete":
      return failed > 0 && options.tolerateFailures !== true ? EXIT.someFailed : EXIT.ok;
  }
}
