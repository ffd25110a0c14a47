import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { openSources } from "../app/feeding.js";
import { runBatch } from "../app/run-batch.js";
import { openApp } from "../app.js";
import { UsageError } from "../domain/errors.js";
import type { Accuracy, Score } from "../results/accuracy.js";
import type { Context } from "./context.js";
import { EXIT } from "./exit-codes.js";
import { count } from "./format.js";
import { createProgress } from "./progress.js";
import { finish } from "./run.js";
import {
  addRunOptions,
  applyRunOptions,
  batchTerms,
  defaultBatchName,
  namedProviders,
  type RunOptions,
} from "./run-options.js";
import { createPaint } from "./terminal.js";
import { wilson } from "./wilson.js";

export function addEvaluate(program: Command, context: Context, exit: (code: number) => void): void {
  addRunOptions(program.command("evaluate").argument("<source>", "a folder, file, glob or manifest"))
    .description("accuracy against labels; the embedded engine's unless --provider names another")
    .action(async (source: string, options: RunOptions) => exit(await evaluate(source, options, context)));
}

async function evaluate(source: string, options: RunOptions, context: Context): Promise<number> {
  const { terminal, stop } = context;
  const { truth } = options;
  if (truth === undefined) throw new UsageError("evaluate: --truth names the labels, a CSV with file,page,number,…");
  const asConfigured = context.config(options.config);
  const providers = namedProviders(options.provider ?? asConfigured.provider?.join(",") ?? "local", asConfigured);
  const config = applyRunOptions(asConfigured, options, providers);
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
    const { accuracy } = await finish(app, result, options);
    if (accuracy === null || result.ending.kind !== "complete") return endedEarly(result.ending.kind);
    if (options.json === true) terminal.data(JSON.stringify(accuracy));
    else terminal.message(accuracyText(accuracy, createPaint(terminal.color).bold));
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

function accuracyText(accuracy: Accuracy, bold: (text: string) => string): string {
  const { pages, accepted, wrongAccepts, missing } = accuracy;
  const scores = [
    ["number", accuracy.number],
    ["expiry date", accuracy.expiryDate],
    ["issue date", accuracy.issueDate],
    ["bank", accuracy.bank],
    ["type", accuracy.type],
    ["coverage", { labelled: pages, right: accepted }],
    ["wrong accepts", { labelled: accepted, right: wrongAccepts }],
  ] as const satisfies readonly (readonly [string, Score])[];
  const lines = scores
    .filter(([, score]) => score.labelled > 0)
    .map(([name, score]) => `  ${name.padEnd(14)}${share(score)}`);
  const note = missing > 0 ? [`  ${count(missing)} labelled pages are not in the source`] : [];
  return ["", bold(`  ${count(pages)} labelled pages`), ...lines, ...note, ""].join("\n");
}

/** A share with its 95 % interval: with few pages the figure alone says more than it knows. */
function share({ right, labelled }: Score): string {
  const [low, high] = wilson(right, labelled);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const of = `${count(right)} of ${count(labelled)}`;
  return `${percent(right / labelled).padStart(8)}  ${of.padEnd(18)}95 %: ${percent(low)} – ${percent(high)}`;
}
