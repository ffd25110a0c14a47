import type { FastifyInstance } from "fastify";

export interface OpsDeps {
  /** What is not usable at present, in words; empty when all is. */
  readonly troubles: () => Promise<readonly string[]>;
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

/** What whoever runs the server asks it: does it live, may it be sent requests, how is it doing. */
export function addOpsRoutes(server: FastifyInstance, { troubles, metrics }: OpsDeps): void {
  server.get("/healthz", async (_request, reply) => reply.type("application/json").send({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const found = await troubles();
    return reply
      .code(found.length === 0 ? 200 : 503)
      .send({ status: found.length === 0 ? "ready" : "not-ready", troubles: found });
  });
  server.get("/metrics", async (_request, reply) =>
    reply.type("text/plain; version=0.0.4; charset=utf-8").send(await metrics()),
  );
}
