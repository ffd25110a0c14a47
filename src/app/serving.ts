import type { App } from "../app.js";
import { CardbatchError } from "../domain/errors.js";
import type { ServerLimits } from "../http/serve/server.js";
import { createMetricsText } from "./metrics-text.js";
import { createAdmission } from "./serving/admission.js";
import { consumeOutcomes } from "./serving/consume.js";
import { feedBatches } from "./serving/feed-batches.js";
import { openParts, type PartsOptions, type ServingParts } from "./serving/parts.js";
import { tellOutcomes } from "./serving/tell.js";
import { keepUp } from "./serving/upkeep.js";

export interface ServingOptions extends PartsOptions {
  readonly host: string;
  readonly port: number;
  /** @default DEFAULT_LIMITS */
  readonly limits?: Partial<ServerLimits>;
}

export interface Serving {
  readonly url: string;
  /** Takes no new connection, answers what is under way, and ends. */
  close(): Promise<void>;
}

/**
 * Starts the HTTP server and what goes on behind it: outcomes are stored for those who asked and told to those who want to be
 * told, batches are put on the queue, and what dead processes left half done is finished.
 * @throws CardbatchError `storage-unavailable`
 * @throws ConfigError
 */
export async function startServing(app: App, { host, port, limits, ...options }: ServingOptions): Promise<Serving> {
  // Only who serves pays for loading the framework.
  const { closeServer, createServer, DEFAULT_LIMITS, listen } = await import("../http/serve/server.js");
  const { addOpsRoutes } = await import("../http/serve/ops-routes.js");
  const { addDocsRoutes } = await import("../http/serve/docs-routes.js");
  const { addApi } = await import("../http/serve/api.js");
  const { addOcr } = await import("./ocr.js");

  const parts = await openParts(app, options);
  const stopping = new AbortController();
  const server = createServer({
    limits: { ...DEFAULT_LIMITS, ...limits },
    onFault: (where, error) => app.emit({ type: "fault", where, error }),
    onServed: (route, status, durationMs) => app.emit({ type: "served", route, status, durationMs }),
  });
  addOpsRoutes(server, { troubles: () => findTroubles(parts), metrics: createMetricsText(app) });
  addDocsRoutes(server, app.surroundings.version);
  await addApi(server, { parts, admission: createAdmission(parts, stopping.signal), stopping: stopping.signal });
  await addOcr(server, app);
  const url = await listen(server, host, port);
  const going = [consumeOutcomes(parts), tellOutcomes(parts), feedBatches(parts), keepUp(parts)];
  const close = app.defer(async () => {
    stopping.abort();
    await closeServer(server);
    await Promise.all(going.map((each) => each.close()));
    parts.waiters.close();
  });
  return { url, close };
}

/** What keeps the server from taking images, in words. */
async function findTroubles({ app, staging }: ServingParts): Promise<string[]> {
  const troubles = app.redisHealth.isAway() ? ["Redis is not usable"] : [];
  try {
    await staging.probe();
  } catch (error) {
    if (!(error instanceof CardbatchError)) throw error;
    troubles.push(error.message);
  }
  return troubles;
}
