import type { Command } from "commander";
import { openReader } from "../app/reading.js";
import { type BatchStatus, readStatus, type Status } from "../app/status.js";
import { UsageError } from "../domain/errors.js";
import { MICROS } from "../domain/money.js";
import { windowText } from "../domain/window.js";
import type { Context } from "./context.js";
import { EXIT } from "./exit-codes.js";
import { statusText } from "./status-text.js";
import { createPaint } from "./terminal.js";

interface StatusOptions {
  readonly batch?: string;
  readonly json?: true;
  readonly config?: string;
}

export function addStatus(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("status")
    .description("how batches, providers, queues and the ledger stand")
    .option("--batch <name>", "only this batch")
    .option("--json", "as JSON on stdout")
    .option("--config <file>", "settings as JSON")
    .action(async (options: StatusOptions) => exit(await tellStatus(options, context)));
}

async function tellStatus(options: StatusOptions, { terminal, config, surroundings, stop }: Context): Promise<number> {
  const reader = await openReader(config(options.config), surroundings, stop.soft);
  try {
    const status = await readStatus(reader, options.batch ?? null);
    if (options.batch !== undefined && status.batches.length === 0) {
      throw new UsageError(`--batch ${options.batch}: there is no such batch`);
    }
    if (options.json === true) terminal.data(JSON.stringify(statusJson(status)));
    else terminal.data(statusText(status, createPaint(terminal.color)));
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}

/** The names that `summary.json` has, too. */
function statusJson({ batches, providers, images, answers, ledgerBytesPerPage }: Status) {
  return {
    schema: 1,
    batches: batches.map(batchJson),
    providers,
    queues: { "card-images": { waiting: images.waiting, active: images.active, asleep: images.asleep } },
    workers: images.workers,
    ledger: { ...answers, bytesPerPage: ledgerBytesPerPage },
  };
}

function batchJson({ batch, counts, isLive, opensAt, unread, position, markBytes }: BatchStatus) {
  const { window } = batch;
  const { money } = counts;
  return {
    batch: batch.name,
    providers: batch.providers,
    destination: batch.destination,
    found: counts.found,
    ...counts.outcomes,
    pending: counts.pending,
    stale: counts.stale,
    fed: counts.fed,
    live: isLive,
    calls: counts.providers,
    underWay: money.underWay,
    cost: money.cost / MICROS,
    costAtRisk: money.atRisk / MICROS,
    maxCalls: money.limits.maxCalls,
    budget: money.limits.budget === null ? null : money.limits.budget / MICROS,
    spent: money.spent,
    window: window === null ? null : { hours: windowText(window), tz: window.tz, opensAt },
    unread,
    position,
    markBytes,
  };
}
