import type { FastifyInstance } from "fastify";
import { retryFailures } from "../../app/failures.js";
import { cancelBatch, pauseBatch, resumeBatch } from "../../app/operate.js";
import { receiveBatch } from "../../app/serving/feed-batches.js";
import type { ServingParts } from "../../app/serving/parts.js";
import type { ApiKey } from "../../domain/api-key.js";
import { isErrorCode, UsageError } from "../../domain/errors.js";
import {
  type BatchView,
  batchBodySchema,
  batchParamsSchema,
  noQuerySchema,
  outcomesQuerySchema,
  retryBodySchema,
} from "../../domain/http-bodies.js";
import { Problem } from "../../domain/problem.js";
import { callerOf, mayDo } from "./authenticate.js";
import { parseWith } from "./problem.js";

/** `/v1/batches/…`: many images at once, and all requests of one name. */
export function addBatchRoutes(server: FastifyInstance, parts: ServingParts): void {
  const { app, apiBatches, received } = parts;

  /** @throws Problem when the key has no such batch */
  const nameOf = async (params: unknown, key: ApiKey): Promise<string> => {
    const { batch } = parseWith(batchParamsSchema, params, "address");
    const owner = await apiBatches.owner(batch);
    if (owner !== null && (owner === key.id || mayDo(key, "admin"))) return batch;
    throw new Problem("not-found", "there is no such batch");
  };

  server.post("/v1/batches", { config: { scope: "enqueue" } }, async (request, reply) => {
    parseWith(noQuerySchema, request.query, "query");
    const {
      batch,
      source,
      images = [],
      provider,
      priority,
      webhook,
    } = parseWith(batchBodySchema, request.body, "body");
    const listed = images.map((image) => ({ root: image.root, path: image.path, ref: image.ref ?? null }));
    const content = { folder: source ?? null, images: listed, priority };
    const wish = { name: batch, content, providers: provider ?? null, webhook: webhook ?? null };
    await receiveBatch(parts, callerOf(request), wish);
    const view = await viewBatch(parts, batch);
    return reply.code(202).header("location", view.url).send(view);
  });

  server.get("/v1/batches/:batch", { config: { scope: "read" } }, async (request) =>
    viewBatch(parts, await nameOf(request.params, callerOf(request))),
  );

  server.get("/v1/batches/:batch/outcomes", { config: { scope: "read" } }, async (request) => {
    const { cursor, limit } = parseWith(outcomesQuerySchema, request.query, "query");
    const name = await nameOf(request.params, callerOf(request));
    // Asked before the outcomes: none can come between that the caller would take for all.
    const { state } = await viewBatch(parts, name);
    const found = await apiBatches.outcomes(name, cursor, limit + 1);
    const page = found.slice(0, limit);
    const states = await received.states(page.map(({ request: id }) => id));
    return {
      outcomes: states.flatMap((its) => its?.outcome ?? []),
      next: String(page.at(-1)?.order ?? cursor),
      more: found.length > limit,
      complete: state === "complete" && found.length <= limit,
    };
  });

  const operate = (verb: "pause" | "resume" | "cancel", act: (name: string) => Promise<unknown>) =>
    server.post(`/v1/batches/:batch/${verb}`, { config: { scope: "enqueue" } }, async (request) => {
      const name = await nameOf(request.params, callerOf(request));
      await asConflict(() => act(name));
      return viewBatch(parts, name);
    });
  operate("pause", (name) => pauseBatch(app, name));
  operate("resume", (name) => resumeBatch(app, name));
  operate("cancel", (name) => cancelBatch(app, name));

  server.post("/v1/batches/:batch/retry", { config: { scope: "enqueue" } }, async (request) => {
    const name = await nameOf(request.params, callerOf(request));
    const { codes } = parseWith(retryBodySchema, request.body ?? {}, "body");
    const known = codes?.filter(isErrorCode) ?? null;
    if (known !== null && known.length < (codes?.length ?? 0))
      throw new Problem("invalid", "codes: there is no such code");
    const { retried, underWay } = await asConflict(() => retryFailures(app, name, known));
    return { ...(await viewBatch(parts, name)), retried, underWay };
  });
}

async function asConflict<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UsageError) throw new Problem("conflict", error.message);
    throw error;
  }
}

async function viewBatch({ app, apiBatches }: ServingParts, name: string): Promise<BatchView> {
  const [counts, isFeeding, halt, createdAt] = await Promise.all([
    app.batches.counts(name),
    apiBatches.isFeeding(name),
    app.batches.halt(name),
    apiBatches.createdAt(name),
  ]);
  const { found, pending, outcomes, providers, fed, stale } = counts;
  const sum = (field: "calls" | "billableCalls" | "uncertainCalls") =>
    Object.values(providers).reduce((total, its) => total + its[field], 0);
  const isDone = pending <= 0 && stale <= 0;
  return {
    batch: name,
    state: halt ?? (isFeeding ? "feeding" : !fed ? "open" : isDone ? "complete" : "working"),
    found,
    pending,
    outcomes,
    calls: sum("calls"),
    billableCalls: sum("billableCalls"),
    uncertainCalls: sum("uncertainCalls"),
    createdAt,
    url: `/v1/batches/${encodeURIComponent(name)}`,
  };
}
