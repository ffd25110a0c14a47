import { ConfigError } from "../domain/errors.js";

/** Where a vendor's API is reached. */
export interface Endpoint {
  /** `https://host` or `https://host:port` */
  readonly origin: string;
  /** As it goes into the Host header, and so into signatures: no default port. */
  readonly host: string;
  readonly hostname: string;
  /** What goes before every path; empty or `/something`. */
  readonly basePath: string;
  readonly secure: boolean;
}

/**
 * @param text what the setting says; without a scheme it means https
 * @param setting the variable to name when it makes no sense, such as `CARDBATCH_HUAWEI_ENDPOINT`
 * @param allowHttpHosts hosts besides loopback that may be plain http
 * @throws ConfigError for anything but an http(s) address, and for plain http where it is not allowed
 */
export function parseEndpoint(text: string, setting: string, allowHttpHosts: readonly string[]): Endpoint {
  const trimmed = text.trim();
  const url = parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
  if (url === null) throw new ConfigError(`${setting}: not an address; give a host such as ocr.example.com`);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ConfigError(`${setting}: ${url.protocol} is not supported; use https`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ConfigError(`${setting}: give host, port and path alone; no user, query or fragment`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname) && !allowHttpHosts.includes(url.hostname)) {
    throw new ConfigError(
      `${setting}: plain http to ${url.hostname} would send card images in the clear; use https, or name the host in CARDBATCH_ALLOW_HTTP`,
    );
  }
  return {
    origin: url.origin,
    host: url.host,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    basePath: url.pathname.replace(/\/+$/, ""),
    secure: url.protocol === "https:",
  };
}

/** Whether a URL's hostname is this very machine, whatever its name service says. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
