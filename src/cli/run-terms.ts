import { createHash } from "node:crypto";
import type { Config } from "../config/settings.js";
import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import type { BatchTerms } from "../domain/batch.js";
import { ConfigError, UsageError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { priceInMicros } from "../domain/money.js";
import { isTimeZone, localTimeZone, parseWindow } from "../domain/window.js";
import type { ImageSource } from "../intake/source.js";
import type { RunOptions } from "./run-options.js";

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
