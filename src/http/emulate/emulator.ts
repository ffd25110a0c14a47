import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SHILIUAI_PATH } from "../../providers/shiliuai/auth.js";
import { authenticateShiliuai, renderShiliuaiCredit } from "../../providers/shiliuai/server.js";
import type { VendorServer, WireFailure, WireReply } from "../../providers/vendor-server.js";
import { serveAdmin } from "./admin.js";
import type { CallLog } from "./call-log.js";
import { type CallTotals, sumUp } from "./call-report.js";
import { deliver } from "./deliver.js";
import type { EmulatorDeps, EmulatorOptions } from "./options.js";
import { serveCall } from "./serve-call.js";
import { serveIam } from "./serve-iam.js";
import { createWorld, type World } from "./world.js";

export interface Emulator {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly log: CallLog;
  totals(): CallTotals;
  /** @throws ConfigError */
  setFaults(input: unknown): void;
  reset(): void;
  close(): Promise<void>;
}

const IAM_PATH = "/v3/auth/tokens";
/** Longer than callers keep a connection, so that it is never the vendor who closes an idle one. */
const KEEP_ALIVE_MS = 65_000;

/**
 * Both vendors' APIs on one port, with their checks, limits and quota, faults on demand, and a log of every call.
 * @throws ConfigError when the faults make no sense
 */
export async function createEmulator(options: EmulatorOptions, deps: EmulatorDeps): Promise<Emulator> {
  const world = createWorld(options);
  const serve = createRoutes(world, options, deps);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    response.on("error", () => {});
    response.setHeader("date", new Date(deps.clock.now()).toUTCString());
    serve(request, response).catch(() => response.destroy());
  });
  const { address, family, port } = await listen(server, options.host ?? "127.0.0.1", options.port ?? 0);
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    port,
    get log() {
      return world.log;
    },
    totals: () => sumUp(world.log, world.iam.counts),
    setFaults: world.setFaults,
    reset: world.reset,
    close: () => shutDown(server),
  };
}

type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createRoutes(world: World, options: EmulatorOptions, deps: EmulatorDeps): Serve {
  const { huawei, shiliuai, random } = world;
  const now = () => deps.clock.now();
  const latency = () => (options.latencyMs ?? 0) + random() * (options.jitterMs ?? 0);
  const serving = { ...deps, now, latency, random, nextRequestId: randomUUID };

  return async (request, response) => {
    const { method = "", url = "/" } = request;
    const path = url.split("?", 1)[0] ?? "/";
    const vendor = [huawei, shiliuai].find((candidate) => candidate.isCall(method, path));
    if (vendor !== undefined) {
      const { log, quota } = world;
      const number = log.begin(vendor.provider, performance.timeOrigin + performance.now());
      const fault = world.nextFault(vendor.provider);
      const throttled = quota.admit(performance.now()) ? null : overLimit(vendor, quota.limit() ?? 0, options);
      return serveCall({ vendor, number, fault, throttled, request, response }, { ...serving, log });
    }
    if (path.startsWith("/__")) return serveAdmin(request, response, new URL(url, "http://emulator"), world);
    if (method === "POST" && path === IAM_PATH) {
      return serveIam(request, response, world.nextFault("iam"), { iam: world.iam, now });
    }
    request.resume();
    if (method === "POST" && path === `${SHILIUAI_PATH}/credit`) deliver(response, creditReply(world, request, now()));
    else deliver(response, huawei.renderFailure(huawei.failureOfStatus(404), randomUUID()));
  };
}

function overLimit(vendor: VendorServer, callsPerSecond: number, { retryAfter }: EmulatorOptions): WireFailure {
  const failure = vendor.throttled(callsPerSecond);
  return retryAfter ? { ...failure, headers: { "retry-after": "1" } } : failure;
}

/** What a call costs, for callers that are known. */
function creditReply({ shiliuai, shiliuaiAccount }: World, { headers }: IncomingMessage, nowMs: number): WireReply {
  const request = { method: "POST", url: `${SHILIUAI_PATH}/credit`, headers, body: Buffer.alloc(0) };
  const { failure } = authenticateShiliuai(request, shiliuaiAccount, nowMs);
  return failure === null ? renderShiliuaiCredit(randomUUID()) : shiliuai.renderFailure(failure, randomUUID());
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

function shutDown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
