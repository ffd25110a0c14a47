import type { Command } from "commander";
import { ConfigError } from "../domain/errors.js";
import { connectRedis } from "../queue/redis.js";
import { readRedis } from "../queue/scan-redis.js";
import { loadCanaries } from "../vault/canaries.js";
import { createPanScanner, type PanScanner, type PlaceReport } from "../vault/pan-scan.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";

interface PanScanOptions {
  readonly canaries?: string;
  readonly json?: true;
}

export function addPanScan(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("pan-scan")
    .argument("<place...>", "files, folders, or redis://… URLs")
    .description("search files, logs and Redis for card numbers; exit 1 on a find")
    .option("--canaries <file>", "look for the numbers in this file alone, in every disguise")
    .option("--json", "one JSON line a place with finds on stdout")
    .addHelpText("after", examples("pan-scan out/ /var/log/cardbatch redis://127.0.0.1:6379"))
    .action(async (places: string[], options: PanScanOptions) => exit(await panScan(places, options, context)));
}

async function panScan(places: readonly string[], options: PanScanOptions, context: Context): Promise<number> {
  const { terminal, stop } = context;
  const scanner = createPanScanner(
    options.canaries === undefined ? {} : { canaries: await loadCanaries(options.canaries) },
  );
  for (const place of places) {
    const reports = /^rediss?:\/\//.test(place) ? scanRedis(place, scanner) : scanner.scanPath(place, stop.soft);
    for await (const report of reports) tell(report, options, context);
  }
  const { places: looked, bytes, finds } = scanner.totals();
  terminal.message(
    `${plural(looked, "place")}, ${count(bytes)} bytes: ${finds === 0 ? "no card number" : plural(finds, "card number")}`,
  );
  return finds > 0 ? EXIT.someFailed : EXIT.ok;
}

function tell(report: PlaceReport, options: PanScanOptions, { terminal }: Context): void {
  if (options.json === true) {
    terminal.data(JSON.stringify(report));
    return;
  }
  for (const { line, offset, form, masked } of report.finds) {
    terminal.data(`${report.place}:${line}: ${masked} (${form}, at byte ${offset})`);
  }
  if (report.inName) terminal.data(`${report.place}: the name itself holds a card number`);
  if (report.count > report.finds.length) terminal.data(`${report.place}: ${count(report.count)} in all`);
  for (const note of report.notes) terminal.message(`${report.place}: ${note}`);
}

async function* scanRedis(url: string, scanner: PanScanner): AsyncGenerator<PlaceReport> {
  let failure: Error | null = null;
  const onError = (error: Error) => {
    failure = error;
  };
  const redis = connectRedis({ url, name: "cardbatch-pan-scan", onError });
  const giveUp = setTimeout(() => redis.disconnect(), CONNECT_MS);
  try {
    await redis.ping();
    clearTimeout(giveUp);
    for await (const { key, value } of readRedis(redis)) {
      const report = scanner.scanValue(key, value);
      if (report.count > 0 || report.notes.length > 0) yield report;
    }
  } catch (error) {
    throw new ConfigError(`the Redis to scan does not answer (${(failure ?? (error as Error)).message})`);
  } finally {
    clearTimeout(giveUp);
    redis.disconnect();
  }
}

const CONNECT_MS = 5000;
