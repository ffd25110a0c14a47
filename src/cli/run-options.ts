import { type Command, InvalidArgumentError } from "commander";
import { type CallRates, rateSchema } from "../config/settings.js";
import { budgetInMicros } from "../domain/money.js";
import { nameSchema } from "../domain/payload.js";
import { collect, parseEncoding, parseWhole, timeOption } from "./option-values.js";

/** The options that run, enqueue and drain share, as they come from the command line. */
export interface RunOptions {
  readonly provider?: string;
  readonly out: string;
  readonly batch?: string;
  readonly csv?: true;
  readonly sink?: readonly string[];
  readonly rate?: CallRates;
  readonly concurrency?: number;
  readonly limit?: number;
  readonly backlog: number;
  readonly refresh?: true;
  readonly patience: number;
  /** `none` takes the batch's limit away; not given leaves it as it is. */
  readonly maxCalls?: number | "none";
  /** In millionths. */
  readonly budget?: number | "none";
  readonly window?: string;
  readonly tz?: string;
  readonly dryRun?: true;
  readonly tolerateFailures?: true;
  readonly destination?: string;
  readonly encoding: string;
  readonly truth?: string;
  readonly config?: string;
  readonly json?: true;
  readonly metricsFile?: string;
  /** Failures of pages without a label are meant to be and don't count. */
  readonly onlyLabelled?: true;
}

export function addRunOptions(command: Command): Command {
  return command
    .option(
      "--provider <names>",
      "huawei, shiliuai or local; of several, separated by commas, the next is asked in doubt",
    )
    .option("--out <folder>", "where results are written", "out")
    .option("--batch <name>", "the batch's name; default: made of the sources and providers", parseName)
    .option("--csv", "also write results.csv")
    .option(
      "--sink <url>",
      "also write outcomes there: postgres://user@host/db or s3://bucket/prefix; may be given several times",
      collect,
    )
    .option("--rate <calls>", "what the vendor allows, such as 20 or 20/s,50000/day; auto finds it out", parseRate)
    .option("--concurrency <n>", "calls under way at a time in one process", parseWhole)
    .option("--limit <n>", "take only so many pages", parseWhole)
    .option("--backlog <n>", "most jobs that may wait", parseWhole, 1000)
    .option("--refresh", "call again although answered")
    .addOption(timeOption("--patience <time>", "how long to wait for a vendor that does not work", "30m"))
    .option("--max-calls <n>", "most billable calls of the batch, over all its runs; none takes it away", parseMaxCalls)
    .option("--budget <amount>", "most that the batch may cost, over all its runs; none takes it away", parseBudget)
    .option("--window <from-to>", "hours in which work may start, such as 22:00-06:00; none takes it away")
    .option("--tz <zone>", "time zone of --window, such as Asia/Shanghai; default: this machine's")
    .option("--dry-run", "say what it would read, call and cost; send and write nothing")
    .option("--tolerate-failures", "exit 0 although some images failed")
    .option("--destination <name>", "name of the result queues", parseName)
    .option("--encoding <label>", "of manifests, such as gb18030", parseEncoding, "utf-8")
    .option("--truth <csv>", "labels to compare the results with")
    .option("--config <file>", "settings as JSON")
    .option("--metrics-file <file>", "write the metrics there at the end")
    .option("--json", "the summary as JSON on stdout");
}

/**
 * As `addRunOptions`, but only those that mean something to the command are in its help, and it says so when another is
 * given: one line of options may go to every command, but nobody shall rely on a limit that nobody looks at.
 * @param names as in `RunOptions`
 */
export function addSomeRunOptions(
  command: Command,
  names: readonly (keyof RunOptions)[],
  tell: (text: string) => void,
): Command {
  const options = addRunOptions(command).options;
  const others = options.filter((option) => !names.some((name) => name === option.attributeName()));
  for (const option of others) option.hideHelp();
  return command
    .addHelpText("after", "\nTakes run's other options, too, and leaves them alone.")
    .hook("preAction", () => {
      const given = others.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
      if (given.length > 0) tell(`${command.name()} leaves ${given.map(({ long }) => long).join(", ")} alone`);
    });
}

function parseMaxCalls(text: string): number | "none" {
  if (text === "none") return text;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("takes a whole number of calls, or none.");
  }
  return value;
}

/** In millionths. */
function parseBudget(text: string): number | "none" {
  if (text === "none") return text;
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value > 1e9)
    throw new InvalidArgumentError("takes an amount such as 250.00, or none.");
  return budgetInMicros(value);
}

function parseRate(text: string): CallRates {
  const parsed = rateSchema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`${parsed.error.issues[0]?.message}.`);
  return parsed.data;
}

function parseName(text: string): string {
  const parsed = nameSchema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? "not a name"}.`);
  return parsed.data;
}
