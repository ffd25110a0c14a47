import { Agent, type Dispatcher, ProxyAgent } from "undici";
import type { Endpoint } from "./endpoint.js";
import { exchange, type HttpReply } from "./http-exchange.js";
import { bypassesProxy, type ProxyOptions, parseProxy } from "./proxy.js";

export type { HttpReply } from "./http-exchange.js";

export interface HttpClientOptions extends ProxyOptions {
  /** Most connections to one endpoint; as many as calls may be in flight. */
  readonly connections: number;
  /** Until a connection attempt is given up, TLS included. @default 10000 */
  readonly connectTimeoutMs?: number;
}

export interface HttpRequest {
  /** Who is called, for messages. */
  readonly peer: string;
  readonly endpoint: Endpoint;
  readonly method: "GET" | "POST" | "PUT";
  /** Goes behind the endpoint's base path. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
}

/** HTTP/1.1 with kept connections, verified TLS and proxies; no redirects, no retries. */
export interface HttpClient {
  /** See `exchange` for what it throws. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpReply>;
  /** `host:port` of the proxy that calls to this endpoint go through, or null. */
  proxyOf(endpoint: Endpoint): string | null;
  /** Lets the requests under way finish. */
  close(): Promise<void>;
}

/** @throws ConfigError when the proxy's address makes no sense */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const tls = { timeout: connectTimeoutMs, rejectUnauthorized: true };
  // `exchange` has one deadline for everything; undici's own timers would only add work.
  const common = { connections: options.connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };
  const direct = new Agent({ ...common, connect: tls });
  const proxy = parseProxy(options.httpsProxy);
  const tunnel = proxy && new ProxyAgent({ ...common, uri: proxy.href, requestTls: tls, proxyTls: tls });
  const routeOf = (endpoint: Endpoint): Dispatcher =>
    tunnel === null || bypassesProxy(endpoint, options.noProxy) ? direct : tunnel;

  return {
    send({ endpoint, path, ...request }, signal) {
      const target = { ...request, origin: endpoint.origin, host: endpoint.host, path: endpoint.basePath + path };
      return exchange(routeOf(endpoint), target, signal);
    },
    proxyOf: (endpoint) => (routeOf(endpoint) === direct ? null : (proxy?.host ?? null)),
    async close() {
      await Promise.all([direct.close(), tunnel?.close()]);
    },
  };
}
