import { ConfigError } from "../domain/errors.js";
import type { Endpoint } from "./endpoint.js";

export interface ProxyOptions {
  /** Address of the proxy for https endpoints; without a scheme it means http. Undefined: none. */
  readonly httpsProxy?: string | undefined;
  /** Hosts reached without it: names (their subdomains too), `.name`, `name:port`, or `*`. */
  readonly noProxy?: string | undefined;
}

/** @throws ConfigError when HTTPS_PROXY is no address; its value may hold a password and is not shown */
export function parseProxy(httpsProxy: string | undefined): URL | null {
  if (httpsProxy === undefined || httpsProxy.trim() === "") return null;
  const text = httpsProxy.includes("://") ? httpsProxy : `http://${httpsProxy}`;
  if (!URL.canParse(text)) throw new ConfigError("HTTPS_PROXY: not an address; give http://host:port");
  const proxy = new URL(text);
  if (!["http:", "https:", "socks5:"].includes(proxy.protocol)) {
    throw new ConfigError(`HTTPS_PROXY: ${proxy.protocol} is not supported; use http, https or socks5`);
  }
  return proxy;
}

/** Whether NO_PROXY takes this endpoint out. Plain http endpoints are this machine's or the operator's own: never proxied. */
export function bypassesProxy(endpoint: Endpoint, noProxy = ""): boolean {
  if (!endpoint.secure) return true;
  const port = new URL(endpoint.origin).port || "443";
  return noProxy
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => matches(entry.toLowerCase(), endpoint.hostname.toLowerCase(), port));
}

function matches(entry: string, hostname: string, port: string): boolean {
  if (entry === "*") return true;
  const [, name = "", entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const suffix = name.replace(/^\*?\./, "");
  return suffix !== "" && (hostname === suffix || hostname.endsWith(`.${suffix}`));
}
