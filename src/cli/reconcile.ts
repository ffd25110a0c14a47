import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { feedBatch, type OpenedSources, openSources } from "../app/feeding.js";
import { foldersToKeep } from "../app/folder-names.js";
import { openReader, type Reader } from "../app/reading.js";
import { compareBatch, compareSources, DIFFERENCES, type Difference, type Reconciliation } from "../app/reconcile.js";
import { thresholdsOf } from "../app/thresholds.js";
import { sinkIdOf, startWriting } from "../app/writing.js";
import { type App, openApp } from "../app.js";
import type { Config } from "../config/settings.js";
import type { Batch } from "../domain/batch.js";
import { UsageError } from "../domain/errors.js";
import { FIRST_GENERATION } from "../queue/mark.js";
import { createRecorder } from "../queue/recorder.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count } from "./format.js";
import { addSomeRunOptions, type RunOptions } from "./run-options.js";
import { defaultBatchName, namedProviders } from "./run-terms.js";

const MEANINGFUL = ["provider", "out", "batch", "backlog", "destination", "encoding", "config", "json"] as const;

interface ReconcileOptions extends RunOptions {
  readonly repair?: true;
}

export function addReconcile(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program.command("reconcile").argument("[source...]", "the sources of the batch");
  addSomeRunOptions(command, MEANINGFUL, context.terminal.message)
    .option("--repair", "also put right what does not fit; what has no outcome is enqueued again")
    .description("hold a batch's sources, ledger and --out against each other; exit code 1 when they differ")
    .addHelpText("after", examples("reconcile /mnt/scans --provider huawei --out out --repair"))
    .action(async (sources: string[], options: ReconcileOptions) => exit(await reconcile(sources, options, context)));
}

/** What a comparison is about. */
interface Subject {
  readonly name: string;
  /** Null: none were named; pages that were never enqueued, or have no answer, cannot be told. */
  readonly sources: OpenedSources | null;
  readonly out: string;
}

async function reconcile(names: readonly string[], options: ReconcileOptions, context: Context): Promise<number> {
  const config = context.config(options.config);
  const sources = names.length === 0 ? null : await openSources(config, names, options.encoding);
  const name = options.batch ?? nameOf(sources, options, config);
  const subject = { name, sources, out: resolve(options.out) };
  const before = await look(subject, options, config, context);
  const hasDifferences = Object.keys(before.differences).length > 0;
  if (options.repair !== true || !hasDifferences) {
    tell(before, null, options, context);
    return hasDifferences ? EXIT.someFailed : EXIT.ok;
  }
  const after = await repair(subject, options, config, context);
  tell(before, after, options, context);
  return Object.keys(after.differences).length > 0 ? EXIT.someFailed : EXIT.ok;
}

function nameOf(sources: OpenedSources | null, options: RunOptions, config: Config): string {
  if (sources === null) throw new UsageError("reconcile: name the batch's sources, or --batch");
  return defaultBatchName(sources.sources, namedProviders(options.provider, config));
}

interface Looked extends Reconciliation {
  /** Pages without an outcome whose answer is stored; null: no sources were named. */
  readonly answered: number | null;
}

async function look(subject: Subject, options: RunOptions, config: Config, context: Context): Promise<Looked> {
  const reader = await openReader(config, context.surroundings, context.stop.soft);
  try {
    const batch = await reader.batches.get(subject.name);
    if (batch === null && !existsSync(subject.out)) {
      throw new UsageError(`batch ${subject.name}: Redis knows no such batch, and there is no ${options.out}`);
    }
    return await compare(reader, batch ?? lostBatch(subject.name, options, config), subject, context.stop.soft);
  } finally {
    await reader.close();
  }
}

async function compare(reader: Reader, batch: Batch, { sources, out }: Subject, signal: AbortSignal): Promise<Looked> {
  const fromSources = sources === null ? null : await compareSources(reader, batch, sources, signal);
  const counts = await reader.batches.counts(batch.name);
  const compared = await compareBatch(
    reader,
    batch,
    counts,
    await folderOf(reader, out),
    fromSources?.neverFound ?? null,
  );
  return { ...compared, answered: fromSources?.answered ?? null };
}

async function folderOf({ redis, keys }: Reader, path: string) {
  if (!existsSync(path)) return null;
  const sink = sinkIdOf(path);
  return { path, sink, position: await createRecorder(redis, keys, sink).position() };
}

/** What stands in for a batch that Redis has lost. */
function lostBatch(name: string, options: RunOptions, config: Config): Batch {
  return {
    name,
    providers:
      options.provider === undefined && config.provider === undefined ? [] : namedProviders(options.provider, config),
    thresholds: thresholdsOf(config),
    destination: options.destination ?? name,
    sources: [],
    generation: FIRST_GENERATION,
    refreshSinceMs: 0,
    window: null,
    halt: null,
  };
}

/**
 * What the lines say counts: what is recorded is made anew from them, and what they lack is enqueued again; its answers are
 * stored, so that it costs a call only where there is none.
 */
async function repair(subject: Subject, options: RunOptions, config: Config, context: Context): Promise<Looked> {
  const { surroundings, stop, terminal } = context;
  const { name, sources, out } = subject;
  const app = await openApp(config, surroundings, stop.soft);
  try {
    if (!(await app.presence.acquire(`batch:${name}`))) {
      throw new UsageError(`batch ${name}: a run of it is live; wait for it, or stop it first`);
    }
    const before = await app.batches.get(name);
    const { fed } = await app.batches.counts(name);
    const batch = await app.batches.open({ ...(await settled(app, before, subject, options)), name, refresh: false });
    const writing = await startWriting(app, out, batch.destination, { batch, mayStartOver: true, readBack: true });
    await writing.close();
    if (sources === null) {
      await app.batches.setFed(name, fed);
      terminal.message("no sources were named: what has no outcome was not enqueued again");
    } else {
      const { backlog } = options;
      const feeding = { backlog, limit: null, priority: "batch", distrust: true, onProgress: () => {} } as const;
      const { enqueued } = await feedBatch(app, batch, sources, feeding, stop.soft);
      await app.batches.setFed(name, true);
      if (enqueued > 0) terminal.message(`${count(enqueued)} pages enqueued again; run the batch to finish them`);
    }
    return await compare({ ...app, vault: app.vault }, batch, subject, stop.soft);
  } finally {
    await app.close();
  }
}

/** A batch that Redis knows stays as it was settled. */
async function settled(app: App, before: Batch | null, { name, sources }: Subject, options: RunOptions) {
  if (before !== null) return before;
  return {
    providers: namedProviders(options.provider, app.config),
    thresholds: thresholdsOf(app.config),
    destination: options.destination ?? name,
    sources: sources === null ? [] : await foldersToKeep(sources.sources, sources.roots, app.vault),
  };
}

function tell(before: Looked, after: Looked | null, options: RunOptions, { terminal }: Context): void {
  if (options.json === true) {
    terminal.data(JSON.stringify(after === null ? before : { ...after, repaired: before.differences }));
    return;
  }
  if (after === null) terminal.message(describe(before));
  else terminal.message(`before the repair:\n${describe(before)}\nafter it:\n${describe(after)}`);
}

function describe({ batch, found, settled: done, pending, differences, answered }: Looked): string {
  const entries = Object.entries(differences) as [Difference, { count: number; example: string }][];
  const lines = entries.map(
    ([kind, its]) => `  ${kind}: ${count(its.count)} × ${DIFFERENCES[kind]}, such as ${its.example}`,
  );
  const free =
    answered === null || answered === 0 ? [] : [`  ${count(answered)} of them are answered, and cost no call`];
  const all = `batch ${batch}: ${count(found)} found, ${count(done)} with their one line, ${count(pending)} under way`;
  return [all, ...(lines.length === 0 ? ["  no differences"] : lines), ...free].join("\n");
}
