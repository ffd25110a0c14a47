import { createHash } from "node:crypto";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CallRates, Config } from "../config/settings.js";
import { rateSchema } from "../config/settings.js";
import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { BatchTerms } from "../domain/batch.js";
import { ConfigError, UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { budgetInMicros, priceInMicros } from "../domain/money.js";
import { nameSchema } from "../domain/payload.js";
import { isTimeZone, localTimeZone, parseWindow } from "../domain/window.js";
import type { ImageSource } from "../intake/source.js";
import { parseDuration } from "./format.js";

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
    .option("--encoding <label>", "of manifests, such as gb18030", "utf-8")
    .option("--truth <csv>", "labels to compare the results with")
    .option("--config <file>", "settings as JSON")
    .option("--metrics-file <file>", "write the metrics there at the end")
    .option("--json", "the summary as JSON on stdout");
}

/**
 * Leaves in a command's help those of run's options that mean something to it, and says so when another is given: one line
 * of options may go to every command, but nobody shall rely on a limit that nobody looks at.
 * @param names as in `RunOptions`
 */
export function narrowRunOptions(
  command: Command,
  names: readonly (keyof RunOptions)[],
  tell: (text: string) => void,
): Command {
  const others = command.options.filter((option) => !names.some((name) => name === option.attributeName()));
  for (const option of others) option.hideHelp();
  return command
    .addHelpText("after", "\nTakes run's other options, too, and leaves them alone.")
    .hook("preAction", () => {
      const given = others.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
      if (given.length > 0) tell(`${command.name()} leaves ${given.map(({ long }) => long).join(", ")} alone`);
    });
}

/** An option that takes a time, with a default as one writes it. */
export function timeOption(flags: string, description: string, preset: string): Option {
  return new Option(flags, description).argParser(parseTime).default(parseTime(preset), preset);
}

/** An option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function parseWhole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("takes a whole number from 1.");
  return value;
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

export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("takes a port, 0 to 65535.");
  return value;
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

export function parseTime(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError("takes a time such as 90s, 30m or 2h.");
  return ms;
}

/**
 * The providers that were named, by option or setting, in the order they are asked.
 * @throws ConfigError when none is named: images and money go nowhere by default; or when a setting names one that is none
 * @throws UsageError when the option does
 */
export function namedProviders(option: string | undefined, config: Config): readonly ProviderName[] {
  const named = option?.split(",") ?? config.provider ?? [];
  const names = new Set(named.map((name) => name.trim()).filter((name) => name !== ""));
  if (names.size === 0) {
    throw new ConfigError(
      "no provider is named: use --provider local for the embedded engine, which needs no account, " +
        "or --provider huawei or shiliuai; CARDBATCH_PROVIDER does the same",
    );
  }
  return [...names].map((name) => {
    const known = PROVIDER_NAMES.find((candidate) => candidate === name);
    if (known !== undefined) return known;
    const choices = `${name}: there are ${PROVIDER_NAMES.join(", ")}`;
    throw option === undefined
      ? new ConfigError(`CARDBATCH_PROVIDER=${choices}`)
      : new UsageError(`--provider ${choices}`);
  });
}

/**
 * The name of a batch that was given none: the same sources and providers are the same batch. A card number in a path counts
 * as it is masked: the name is a hash without a key, and is shown.
 */
export function defaultBatchName(sources: readonly ImageSource[], providers: readonly ProviderName[]): string {
  const places = [...new Set(sources.map(({ identity }) => maskReference(identity)))].sort();
  const identity = JSON.stringify([places, providers]);
  return `b-${createHash("sha256").update(identity).digest("hex").slice(0, 12)}`;
}

/** The settings with what the options say over them. */
export function applyRunOptions(config: Config, options: RunOptions, providers: readonly ProviderName[]): Config {
  const { rate, sink } = options;
  const rated =
    rate === undefined ? {} : Object.fromEntries(providers.map((name) => [name, { ...config[name], rate }]));
  return { ...config, ...rated, ...(sink === undefined ? {} : { sinks: [...sink] }) };
}

/**
 * What the options say the batch may do. Prices come from the settings, and only where they are set: a run without them
 * leaves the batch those that it has.
 * @throws UsageError for a window or time zone that there is not
 * @throws ConfigError when there is a budget, and a provider that costs something has no price
 */
export function batchTerms(options: RunOptions, config: Config, providers: readonly ProviderName[]): BatchTerms {
  const vendors = providers.filter((name) => name !== "local");
  const unpriced = vendors.find((name) => config[name].price === 0);
  if (typeof options.budget === "number" && unpriced !== undefined) {
    const setting = `CARDBATCH_${unpriced.toUpperCase()}_PRICE`;
    throw new ConfigError(`--budget: ${unpriced} has no price; set ${setting} to what one billable call costs`);
  }
  const priced = vendors.filter((name) => config[name].price > 0);
  return {
    prices: Object.fromEntries(priced.map((name) => [name, priceInMicros(config[name].price)])),
    ...(options.maxCalls === undefined ? {} : { maxCalls: limitOf(options.maxCalls) }),
    ...(options.budget === undefined ? {} : { budget: limitOf(options.budget) }),
    ...windowTerm(options),
  };
}

function limitOf(given: number | "none"): number | null {
  return given === "none" ? null : given;
}

function windowTerm({ window: text, tz }: RunOptions): Pick<BatchTerms, "window"> {
  if (tz !== undefined && !isTimeZone(tz)) {
    throw new UsageError(`--tz ${tz}: there is no such time zone; name one such as Asia/Shanghai`);
  }
  if (text === undefined) return {};
  if (text === "none") return { window: null };
  const window = parseWindow(text, tz ?? localTimeZone());
  if (window === null) throw new UsageError(`--window ${text}: takes hours such as 22:00-06:00`);
  return { window };
}
