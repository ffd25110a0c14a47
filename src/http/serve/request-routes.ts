import type { FastifyInstance } from "fastify";
import type { ServingParts } from "../../app/serving/parts.js";
import type { ApiKey } from "../../domain/api-key.js";
import { requestParamsSchema, revealBodySchema, waitQuerySchema } from "../../domain/http-bodies.js";
import { Problem } from "../../domain/problem.js";
import type { RequestState } from "../../domain/received.js";
import { callerOf, mayDo } from "./authenticate.js";
import { goneSignal } from "./image-routes.js";
import { parseWith } from "./problem.js";
import { viewRequest } from "./views.js";

export interface RequestRoutesDeps {
  readonly parts: ServingParts;
  readonly stopping: AbortSignal;
  /** The record with its numbers in the clear, once that is recorded. @throws Problem */
  readonly reveal: (state: RequestState, key: ApiKey, reason: string) => Promise<unknown>;
}

/** `/v1/requests/…`: what became of one. */
export function addRequestRoutes(server: FastifyInstance, { parts, stopping, reveal }: RequestRoutesDeps): void {
  const find = async (params: unknown, key: ApiKey): Promise<RequestState> => {
    const { request } = parseWith(requestParamsSchema, params, "address");
    const [state = null] = await parts.received.states([request]);
    // Another key's request is not told apart from none.
    if (state === null || (state.key !== key.id && !mayDo(key, "admin"))) {
      throw new Problem("not-found", "there is no such request, or its outcome is no longer kept");
    }
    return state;
  };

  server.get("/v1/requests/:request", { config: { scope: "read" } }, async (request, reply) => {
    const { wait } = parseWith(waitQuerySchema, request.query, "query");
    const key = callerOf(request);
    const state = await find(request.params, key);
    if (state.outcome !== null || wait === undefined) return viewRequest(state);
    await parts.waiters.wait([state.request], wait, AbortSignal.any([stopping, goneSignal(reply)]));
    return viewRequest(await find(request.params, key));
  });

  server.post("/v1/requests/:request/reveal", { config: { scope: "reveal" } }, async (request, reply) => {
    const key = callerOf(request);
    const { reason } = parseWith(revealBodySchema, request.body, "body");
    const state = await find(request.params, key);
    if (state.outcome === null) throw new Problem("conflict", "the request has no outcome yet");
    return reply.header("cache-control", "no-store").send(await reveal(state, key, reason));
  });
}
