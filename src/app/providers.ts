import type { Config, ProviderConfig } from "../config/settings.js";
import { huaweiAccount, shiliuaiAccount } from "../config/vendor-auth.js";
import type { ProviderName } from "../domain/answer.js";
import type { CardEngine } from "../domain/card-engine.js";
import type { CallLimits } from "../domain/pace.js";
import type { OcrProvider } from "../domain/provider.js";
import type { HttpClient } from "../providers/http-client.js";
import { createHuaweiProvider } from "../providers/huawei/huawei-provider.js";
import { createLocalProvider } from "../providers/local/local-provider.js";
import { createShiliuaiProvider } from "../providers/shiliuai/shiliuai-provider.js";

/** Calls a second to a vendor whose limit nobody told. */
const DEFAULT_VENDOR_RATE = 5;

/** What is asked of each vendor besides, as answer keys name it: for those who have no provider at hand. */
export const ANSWER_OPTIONS: Readonly<Record<ProviderName, string>> = {
  huawei: "text-location",
  shiliuai: "",
  local: "",
};

export interface ProviderParts {
  readonly http: HttpClient;
  /** Opened only when the local provider is used. */
  readonly engine: () => CardEngine;
}

/** @throws ConfigError naming the settings that are missing or contradict each other */
export function buildProvider(name: ProviderName, config: Config, parts: ProviderParts): OcrProvider {
  const deps = { clock: { now: () => Date.now() }, http: parts.http };
  const allowHttpHosts = config.allowHttp;
  switch (name) {
    case "huawei": {
      const { enterpriseProjectId, timeoutMs } = config.huawei;
      return createHuaweiProvider({ ...huaweiAccount(config), enterpriseProjectId, timeoutMs, allowHttpHosts }, deps);
    }
    case "shiliuai":
      return createShiliuaiProvider(
        { ...shiliuaiAccount(config), timeoutMs: config.shiliuai.timeoutMs, allowHttpHosts },
        deps,
      );
    case "local":
      return createLocalProvider(parts.engine());
  }
}

/** What the account allows; null: nothing limits it. */
export function limitsOf(name: ProviderName, { rate, inFlight }: ProviderConfig): CallLimits | null {
  const toldNothing = { perSecond: DEFAULT_VENDOR_RATE, perMinute: null, perDay: null };
  if (rate === undefined && name === "local") return null;
  return { ...(rate ?? toldNothing), inFlight: inFlight ?? null };
}

/** For people: a provider and how fast it is called. */
export function describeRate(name: ProviderName, settings: ProviderConfig): string {
  const limits = limitsOf(name, settings);
  if (limits === null) return name;
  const { perSecond, perMinute, perDay } = limits;
  const parts = [
    perSecond === "auto" ? "as many calls/s as it allows" : `${Math.round(perSecond * 100) / 100} calls/s`,
    ...(perMinute === null ? [] : [`${perMinute}/min`]),
    ...(perDay === null ? [] : [`${perDay}/day`]),
  ];
  return `${name} at ${parts.join(", ")}${settings.rate === undefined ? " (the default)" : ""}`;
}

/** Calls that one process keeps in flight: enough for a vendor that takes two seconds to answer. */
export function concurrencyOf(name: ProviderName, settings: ProviderConfig, threads: number): number {
  if (settings.concurrency !== undefined) return settings.concurrency;
  if (name === "local") return threads + 1;
  const perSecond = limitsOf(name, settings)?.perSecond;
  return Math.min(256, Math.max(32, perSecond === "auto" ? 128 : Math.ceil(2 * (perSecond ?? DEFAULT_VENDOR_RATE))));
}
