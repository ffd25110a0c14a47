import type { FastifyInstance } from "fastify";
import type { ServingParts } from "../../app/serving/parts.js";
import { deliveryParamsSchema, parkedQuerySchema } from "../../domain/http-bodies.js";
import { Problem } from "../../domain/problem.js";
import { callerOf, mayDo } from "./authenticate.js";
import { parseWith } from "./problem.js";

const REPLAYED_AT_A_TIME = 1000;

/** `/v1/webhooks/…`: outcomes that nobody took. */
export function addWebhookRoutes(server: FastifyInstance, { deliveries }: ServingParts): void {
  server.get("/v1/webhooks/parked", { config: { scope: "read" } }, async (request) => {
    const { limit } = parseWith(parkedQuerySchema, request.query, "query");
    const parked = await deliveries.parked(callerOf(request).id, limit);
    return { deliveries: parked.map(({ key: _key, ...delivery }) => delivery) };
  });

  server.post("/v1/webhooks/parked/replay", { config: { scope: "enqueue" } }, async (request, reply) => {
    const key = callerOf(request);
    let replayed = 0;
    for (;;) {
      const parked = await deliveries.parked(key.id, REPLAYED_AT_A_TIME);
      for (const delivery of parked) if (await deliveries.replay(delivery)) replayed++;
      if (parked.length === 0) return reply.code(202).send({ replayed });
    }
  });

  server.post("/v1/webhooks/:id/replay", { config: { scope: "enqueue" } }, async (request, reply) => {
    const { id } = parseWith(deliveryParamsSchema, request.params, "address");
    const key = callerOf(request);
    const delivery = await deliveries.get(id);
    const isTheirs = delivery !== null && (delivery.key === key.id || mayDo(key, "admin"));
    if (!isTheirs || !(await deliveries.replay(delivery))) throw new Problem("not-found", "there is no such webhook");
    return reply.code(202).send({ replayed: 1 });
  });
}
