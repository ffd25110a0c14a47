import type { FastifyInstance } from "fastify";
import type { Admission } from "../../app/serving/admission.js";
import type { ServingParts } from "../../app/serving/parts.js";
import { revealOutcome } from "../../app/serving/reveal.js";
import { addAuthentication } from "./authenticate.js";
import { addBatchRoutes } from "./batch-routes.js";
import { addImageRoutes } from "./image-routes.js";
import { addRequestRoutes } from "./request-routes.js";
import { addWebhookRoutes } from "./webhook-routes.js";

export interface ApiDeps {
  readonly parts: ServingParts;
  readonly admission: Admission;
  /** Fires when the server is to stop: nobody is kept waiting then. */
  readonly stopping: AbortSignal;
}

/** Everything below `/v1`. */
export async function addApi(server: FastifyInstance, { parts, admission, stopping }: ApiDeps): Promise<void> {
  await server.register(async (scope) => {
    scope.removeContentTypeParser("text/plain");
    // Before the key is looked up: that takes a Redis.
    scope.addHook("onRequest", async () => admission.assertOpen());
    addAuthentication(scope, { findKey: parts.apiKeys.get, takeTurn: parts.apiKeys.takeTurn });
    await addImageRoutes(scope, { parts, stopping, admission });
    addRequestRoutes(scope, {
      parts,
      stopping,
      reveal: (state, key, reason) => revealOutcome(parts, state, key, reason),
    });
    addBatchRoutes(scope, parts);
    addWebhookRoutes(scope, parts);
  });
}
