import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { openSources } from "../app/feeding.js";
import { accuracyDeps, finish } from "../app/finish-run.js";
import { runBatch } from "../app/run-batch.js";
import { openApp } from "../app.js";
import { assertAccounts } from "../config/vendor-auth.js";
import { UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { createEvaluation } from "../evaluate/evaluation.js";
import { evaluationPage } from "../evaluate/evaluation-page.js";
import { evaluationText } from "../evaluate/evaluation-text.js";
import { assertLabels, measureAccuracy } from "../results/accuracy.js";
import { matchDigits } from "../vault/match-digits.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { createProgress } from "./progress.js";
import { addSomeRunOptions, type RunOptions } from "./run-options.js";
import { applyRunOptions, batchTerms, defaultBatchName, namedProviders } from "./run-terms.js";
import { createPaint } from "./terminal.js";

const MEANINGFUL = [
  ...(["provider", "truth", "batch", "rate", "concurrency", "limit", "backlog", "refresh", "patience"] as const),
  ...(["maxCalls", "budget", "window", "tz", "encoding", "config", "metricsFile", "json"] as const),
];

interface EvaluateOptions extends RunOptions {
  readonly report?: string;
}

export function addEvaluate(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program.command("evaluate").argument("<source>", "a folder, file, glob or manifest");
  addSomeRunOptions(command, MEANINGFUL, context.terminal.message)
    .description("accuracy against labels; the embedded engine's unless --provider names another")
    .addHelpText("after", examples("evaluate labelled/ --truth labelled/truth.csv --report accuracy.html"))
    .option("--report <html>", "also write the figures, with plots and the worst pages, as an HTML page")
    .action(async (source: string, options: EvaluateOptions) => exit(await evaluate(source, options, context)));
}

async function evaluate(source: string, options: EvaluateOptions, context: Context): Promise<number> {
  const { terminal, stop } = context;
  const { truth, report, ...others } = options;
  if (truth === undefined) throw new UsageError("evaluate: --truth names the labels, a CSV with file,page,number,…");
  await assertLabels(truth);
  const asConfigured = context.config(options.config);
  const providers = namedProviders(options.provider ?? asConfigured.provider?.join(",") ?? "local", asConfigured);
  assertAccounts(providers, asConfigured);
  // Whoever measures adds nothing to what sinks hold.
  const config = { ...applyRunOptions(asConfigured, options, providers), sinks: [] };
  const sources = await openSources(config, [source], options.encoding);
  const name = options.batch ?? `evaluate-${defaultBatchName(sources.sources, providers)}`;
  const app = await openApp(config, context.surroundings, stop.soft);
  const out = await mkdtemp(join(tmpdir(), "cardbatch-evaluate-"));
  try {
    const progress = createProgress(terminal);
    app.onEvent(progress.observe);
    const { concurrency = null, limit = null, backlog, refresh = false, patience: patienceMs } = options;
    const terms = batchTerms(options, config, providers);
    const run = {
      name,
      terms,
      sources,
      providers,
      destination: name,
      out,
      concurrency,
      limit,
      backlog,
      refresh,
      patienceMs,
    };
    const result = await runBatch(app, { ...run, onProgress: progress.show }, stop);
    progress.done();
    await finish(app, result, others);
    if (result.ending.kind !== "complete") return endedEarly(result.ending.kind);
    const evaluation = createEvaluation();
    const judged = evaluation.result(
      await measureAccuracy(result.folder, truth, {
        ...accuracyDeps(app),
        matchDigits: (record, label) => matchDigits(app.vault, record, label),
        onPage: evaluation.add,
      }),
    );
    if (options.json === true) terminal.data(JSON.stringify(judged));
    else terminal.message(evaluationText(judged, createPaint(terminal.color).bold));
    if (report !== undefined) {
      const about = `${providers.join(", then ")} on ${maskReference(source)}`;
      await writeFile(report, evaluationPage(judged, about, new Date()));
    }
    return EXIT.ok;
  } finally {
    terminal.live(null);
    await app.close();
    await rm(out, { recursive: true, force: true });
  }
}

function endedEarly(kind: string): number {
  if (kind === "budget-spent") return EXIT.budget;
  return kind === "interrupted" ? EXIT.interrupted : EXIT.providerUnavailable;
}
