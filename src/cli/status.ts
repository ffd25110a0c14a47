import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { openReader, type Reader } from "../app/reading.js";
import { type BatchStatus, readStatus, type Status } from "../app/status.js";
import { UsageError } from "../domain/errors.js";
import { MICROS } from "../domain/money.js";
import { windowText } from "../domain/window.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { parseWhole } from "./option-values.js";
import { statusText } from "./status-text.js";
import { createPaint } from "./terminal.js";

interface StatusOptions {
  readonly batch?: string;
  readonly json?: true;
  /** Seconds between two looks. */
  readonly watch?: number | true;
  readonly config?: string;
}

const WATCH_EVERY_S = 2;
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

export function addStatus(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("status")
    .description("how batches, providers, queues and the ledger stand")
    .option("--batch <name>", "only this batch")
    .option("--watch [seconds]", "look again and again, until Ctrl-C; every 2 s unless said", parseWhole)
    .option("--json", "as JSON on stdout; with --watch a line each time")
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("status", "status --batch y2019 --watch", "status --json"))
    .action(async (options: StatusOptions) => exit(await tellStatus(options, context)));
}

async function tellStatus(options: StatusOptions, context: Context): Promise<number> {
  const { config, surroundings, stop } = context;
  const reader = await openReader(config(options.config), surroundings, stop.soft);
  try {
    await tellOnce(reader, options, context);
    if (options.watch === undefined) return EXIT.ok;
    const everyMs = 1000 * (options.watch === true ? WATCH_EVERY_S : options.watch);
    for (;;) {
      await sleep(everyMs, undefined, { signal: stop.soft }).catch(() => {});
      if (stop.soft.aborted) return EXIT.ok;
      await tellOnce(reader, options, context);
    }
  } finally {
    await reader.close();
  }
}

async function tellOnce(reader: Reader, options: StatusOptions, { terminal }: Context): Promise<void> {
  const status = await readStatus(reader, options.batch ?? null);
  if (options.batch !== undefined && status.batches.length === 0) {
    throw new UsageError(`--batch ${options.batch}: there is no such batch`);
  }
  if (options.json === true) return terminal.data(JSON.stringify(statusJson(status)));
  const text = statusText(status, createPaint(terminal.color));
  // Drawn over the last one on a terminal; one after the other in a file.
  if (options.watch === undefined) terminal.data(text);
  else terminal.data(terminal.isTty ? `${CLEAR_SCREEN}${text}` : `${new Date().toISOString()}\n${text}`);
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

function batchJson({ batch, counts, isLive, opensAt, unread, position, sinks, markBytes }: BatchStatus) {
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
    halt: counts.halt,
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
    sinks,
    markBytes,
  };
}
