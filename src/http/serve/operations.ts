import type { z } from "zod";
import type { Scope } from "../../domain/api-key.js";
import * as schemas from "../../domain/http-bodies.js";
import type { ProblemCode } from "../../domain/problem.js";

/** One thing that can be asked of the API, as `/openapi.json` and `/docs` tell it. */
export interface Operation {
  readonly method: "get" | "post";
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  /** Null: anybody may. */
  readonly scope: Scope | null;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: z.ZodType;
  /** The fields of a form, which has an image besides. */
  readonly form?: z.ZodType;
  readonly answers: Readonly<Record<number, readonly [description: string, component: string | null]>>;
  readonly problems: readonly ProblemCode[];
}

/** What every call that needs a key may meet. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  "unauthorized",
  "forbidden",
  "invalid",
  "rate-limited",
  "unavailable",
  "shutting-down",
];

const BODY_PROBLEMS: readonly ProblemCode[] = ["bad-request", "too-large", "unsupported-media-type"];

const operateBatch = (verb: string, summary: string): Operation => ({
  method: "post",
  path: `/v1/batches/{batch}/${verb}`,
  id: `${verb}Batch`,
  summary,
  scope: "enqueue",
  params: schemas.batchParamsSchema,
  answers: { 200: ["where the batch stands", "Batch"] },
  problems: ["not-found", "conflict"],
});

export const OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/images",
    id: "sendImage",
    summary: "Send one image",
    description:
      "As a form with a file named `image`, as JSON with `image.data` in base64, or as JSON with the place of a file under a root. " +
      "Each page is a request of its own. An answer of 200 or 202 says that all of them will have their outcome, whatever crashes. " +
      "With an Idempotency-Key the same call again, within 24 hours, is the same requests.",
    scope: "enqueue",
    query: schemas.waitQuerySchema,
    headers: { "Idempotency-Key": "1 to 255 visible ASCII characters that name this attempt" },
    json: schemas.imageBodySchema,
    form: schemas.wishSchema,
    answers: {
      200: ["taken, and every page has its outcome already (only with `wait`)", "Image"],
      202: ["taken", "Image"],
    },
    problems: [
      ...BODY_PROBLEMS,
      "image-unsupported",
      "image-refused",
      "webhook-refused",
      "conflict",
      "idempotency-conflict",
      "backlog-full",
      "storage-full",
    ],
  },
  {
    method: "get",
    path: "/v1/requests/{request}",
    id: "getRequest",
    summary: "What became of a request",
    scope: "read",
    params: schemas.requestParamsSchema,
    query: schemas.waitQuerySchema,
    answers: { 200: ["the request, with its outcome once it is `done`", "Request"] },
    problems: ["not-found"],
  },
  {
    method: "post",
    path: "/v1/requests/{request}/reveal",
    id: "revealRequest",
    summary: "See card numbers in the clear",
    description: "Who asked, when and why is recorded first. Each number has its digits as `value`.",
    scope: "reveal",
    params: schemas.requestParamsSchema,
    json: schemas.revealBodySchema,
    answers: { 200: ["the outcome, with `number.value`", "Outcome"] },
    problems: [...BODY_PROBLEMS, "not-found", "conflict"],
  },
  {
    method: "post",
    path: "/v1/batches",
    id: "sendBatch",
    summary: "Have a folder or a list of images read",
    description:
      "The images lie under a root of the server; they are put on the queue in the background, as there is room.",
    scope: "enqueue",
    json: schemas.batchBodySchema,
    answers: { 202: ["taken", "Batch"] },
    problems: [...BODY_PROBLEMS, "webhook-refused", "conflict"],
  },
  {
    method: "get",
    path: "/v1/batches/{batch}",
    id: "getBatch",
    summary: "Where a batch stands",
    scope: "read",
    params: schemas.batchParamsSchema,
    answers: { 200: ["where the batch stands", "Batch"] },
    problems: ["not-found"],
  },
  {
    method: "get",
    path: "/v1/batches/{batch}/outcomes",
    id: "getOutcomes",
    summary: "Outcomes of a batch, in the order they came",
    description:
      "Ask again with `next` for what has come since; a request that was tried again comes again, with its new outcome.",
    scope: "read",
    params: schemas.batchParamsSchema,
    query: schemas.outcomesQuerySchema,
    answers: { 200: ["a page of outcomes", "Outcomes"] },
    problems: ["not-found"],
  },
  {
    ...operateBatch("retry", "Try the failed requests of a batch again"),
    json: schemas.retryBodySchema,
    problems: [...BODY_PROBLEMS, "not-found", "conflict"],
  },
  operateBatch("pause", "Let nothing new of a batch begin"),
  operateBatch("resume", "Let a paused batch go on"),
  operateBatch("cancel", "End a batch early; what has no outcome gets none"),
  {
    method: "get",
    path: "/v1/webhooks/parked",
    id: "getParkedWebhooks",
    summary: "Outcomes that could not be told for a day",
    scope: "read",
    query: schemas.parkedQuerySchema,
    answers: { 200: ["the oldest of them", "Deliveries"] },
    problems: [],
  },
  {
    method: "post",
    path: "/v1/webhooks/parked/replay",
    id: "replayParkedWebhooks",
    summary: "Tell all of these again",
    scope: "enqueue",
    answers: { 202: ["they are due now", "Replayed"] },
    problems: [],
  },
  {
    method: "post",
    path: "/v1/webhooks/{id}/replay",
    id: "replayWebhook",
    summary: "Tell one outcome again, by its webhook-id",
    scope: "enqueue",
    params: schemas.deliveryParamsSchema,
    answers: { 202: ["it is due now", "Replayed"] },
    problems: ["not-found"],
  },
  {
    method: "get",
    path: "/healthz",
    id: "health",
    summary: "Whether the server lives",
    scope: null,
    answers: { 200: ["it does", null] },
    problems: [],
  },
  {
    method: "get",
    path: "/readyz",
    id: "readiness",
    summary: "Whether the server can take images",
    scope: null,
    answers: { 200: ["it can", "Readiness"], 503: ["it cannot", "Readiness"] },
    problems: [],
  },
  {
    method: "get",
    path: "/metrics",
    id: "metrics",
    summary: "Metrics, for Prometheus",
    scope: null,
    answers: { 200: ["in Prometheus's text format", null] },
    problems: [],
  },
];
