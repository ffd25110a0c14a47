import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Config } from "../config/settings.js";

/** Serves `/metrics` where a port is set; a port that is taken costs a warning, not the run. */
export async function startMetricsServer(
  config: Pick<Config, "metricsPort" | "metricsHost">,
  metrics: () => Promise<string>,
  defer: (close: () => Promise<void>) => unknown,
  report: (message: string) => void,
): Promise<void> {
  const { metricsPort, metricsHost } = config;
  if (metricsPort === undefined) return;
  const server = createServer(async (request, response) => {
    if (request.url?.split("?")[0] !== "/metrics") return void response.writeHead(404).end();
    try {
      const text = await metrics();
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
    } catch {
      response.writeHead(500).end();
    }
  });
  const listening = await new Promise<Error | null>((resolve) => {
    server.once("error", resolve);
    server.listen(metricsPort, metricsHost, () => resolve(null));
  });
  if (listening !== null) {
    report(`CARDBATCH_METRICS_PORT ${metricsPort}: ${listening.message}; the run goes on without /metrics`);
    return;
  }
  server.unref();
  const { port } = server.address() as AddressInfo;
  report(`metrics: http://${metricsHost}:${port}/metrics`);
  defer(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
}
