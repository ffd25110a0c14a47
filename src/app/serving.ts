import type { App } from "../app.js";

export interface ServingOptions {
  readonly host: string;
  readonly port: number;
}

export interface Serving {
  readonly url: string;
  /** Takes no new connection, answers what is under way, and ends. */
  close(): Promise<void>;
}

/** Starts the HTTP server. */
export async function startServing(app: App, options: ServingOptions): Promise<Serving> {
  // Only who serves pays for loading the framework.
  const { closeServer, createServer, DEFAULT_LIMITS, listen } = await import("../http/serve/server.js");
  const { addOpsRoutes } = await import("../http/serve/ops-routes.js");
  const server = createServer({
    limits: DEFAULT_LIMITS,
    onFault: (where, error) => app.emit({ type: "fault", where, error }),
    onServed: () => {},
  });
  addOpsRoutes(server, {
    troubles: async () => (app.redisHealth.isAway() ? ["Redis is not usable"] : []),
    metrics: app.metrics.text,
  });
  const url = await listen(server, options.host, options.port);
  return { url, close: app.defer(() => closeServer(server)) };
}
