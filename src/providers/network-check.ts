import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { CancelledError, CardbatchError } from "../domain/errors.js";
import type { CheckStep } from "../domain/provider.js";
import type { Clock } from "./clock.js";
import type { Endpoint } from "./endpoint.js";
import type { HttpClient, HttpReply } from "./http-client.js";
import { orAborted } from "./on-abort.js";
import { parseDate } from "./retry-after.js";

export interface NetworkCheck {
  /** Goes before the steps' names, where a vendor has two addresses. */
  readonly prefix?: string;
  readonly peer: string;
  readonly endpoint: Endpoint;
  /** The variable that holds the endpoint. */
  readonly setting: string;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Further off than this, signatures would be refused. @unit milliseconds */
  readonly maxSkewMs: number;
}

/**
 * The steps that every vendor over HTTP shares: address, proxy, name, connection, clock.
 * @returns whether it makes sense to go on
 */
export async function* checkNetwork(check: NetworkCheck, signal: AbortSignal): AsyncGenerator<CheckStep, boolean> {
  for await (const step of networkSteps(check, signal)) {
    yield { ...step, name: `${check.prefix ?? ""}${step.name}` };
    if (!step.ok) return false;
  }
  return true;
}

async function* networkSteps(check: NetworkCheck, signal: AbortSignal): AsyncGenerator<CheckStep> {
  const { endpoint, setting, http } = check;
  const proxy = http.proxyOf(endpoint);
  yield { name: "endpoint", ok: true, detail: `${endpoint.origin}${endpoint.basePath} (${setting})` };
  yield { name: "proxy", ok: true, detail: proxy === null ? "none" : `${proxy} (HTTPS_PROXY)` };
  const name =
    proxy === null ? { hostname: endpoint.hostname, setting } : { hostname: hostnameOf(proxy), setting: "HTTPS_PROXY" };
  yield await checkName(name, signal);
  const reply = await connect(check, signal);
  if ("ok" in reply) {
    yield reply;
    return;
  }
  const secured = endpoint.secure ? "TLS, certificate verified" : "plain http";
  yield { name: "connection", ok: true, detail: `${secured}, ${Math.round(reply.latencyMs)} ms` };
  yield checkClock(check, reply);
}

async function checkName(
  { hostname, setting }: { readonly hostname: string; readonly setting: string },
  signal: AbortSignal,
): Promise<CheckStep> {
  if (isIP(hostname) !== 0) return { name: "dns", ok: true, detail: `${hostname} is an address` };
  try {
    const addresses = await orAborted(lookup(hostname, { all: true }), signal);
    return { name: "dns", ok: true, detail: `${hostname} is ${addresses.map(({ address }) => address).join(", ")}` };
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    return {
      name: "dns",
      ok: false,
      detail: `${hostname} is not known (${codeOf(error)}); correct ${setting}, or this machine's name service`,
    };
  }
}

/** Any HTTP reply will do: what is asked is whether somebody answers. */
async function connect(check: NetworkCheck, signal: AbortSignal): Promise<HttpReply | CheckStep> {
  const { peer, endpoint, setting, http, timeoutMs } = check;
  const request = { peer, endpoint, method: "GET", path: "/", headers: {}, body: null, timeoutMs } as const;
  try {
    return await http.send({ ...request, maxResponseBytes: 64 * 1024 }, signal);
  } catch (error) {
    if (error instanceof CancelledError || !(error instanceof CardbatchError)) throw error;
    return {
      name: "connection",
      ok: false,
      detail: `${error.message}; ${settingFor(error, setting, http.proxyOf(endpoint))}`,
    };
  }
}

function settingFor(error: CardbatchError, setting: string, proxy: string | null): string {
  const network = String(error.details.network ?? "");
  if (/CERT|SIGNED|SIGNATURE|ISSUER/.test(network)) {
    return "its certificate is not trusted here; where a company's own authority signs, name its file in NODE_EXTRA_CA_CERTS";
  }
  if (proxy !== null) return `correct HTTPS_PROXY, or take the host out with NO_PROXY (now through ${proxy})`;
  return `correct ${setting}, open the firewall, or set HTTPS_PROXY`;
}

function checkClock({ clock, maxSkewMs }: NetworkCheck, reply: HttpReply): CheckStep {
  const vendorMs = parseDate(reply.headers);
  if (vendorMs === null) return { name: "clock", ok: true, detail: "not compared: the vendor sends no Date" };
  const skewMs = clock.now() - vendorMs;
  const detail = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs < 0 ? "behind" : "ahead of"} the vendor's`;
  if (Math.abs(skewMs) <= maxSkewMs) return { name: "clock", ok: true, detail };
  return { name: "clock", ok: false, detail: `${detail}; set this machine's clock (ntp): signatures carry the time` };
}

function hostnameOf(host: string): string {
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
