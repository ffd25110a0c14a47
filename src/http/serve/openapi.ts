import { z } from "zod";
import * as schemas from "../../domain/http-bodies.js";
import { PROBLEMS, type ProblemCode } from "../../domain/problem.js";
import { WEBHOOK_TYPE } from "../../domain/received.js";
import { recordSchema } from "../../domain/record.js";
import { COMMON_PROBLEMS, OPERATIONS, type Operation } from "./operations.js";

type Json = Readonly<Record<string, unknown>>;

const COMPONENTS = {
  Outcome: recordSchema,
  Request: schemas.requestViewSchema,
  Image: schemas.imageViewSchema,
  Batch: schemas.batchViewSchema,
  Outcomes: schemas.outcomesViewSchema,
  Delivery: schemas.deliveryViewSchema,
  Deliveries: schemas.deliveriesViewSchema,
  Replayed: schemas.replayedViewSchema,
  Readiness: schemas.readinessViewSchema,
  Problem: schemas.problemSchema,
  Webhook: schemas.webhookBodySchema,
} as const satisfies Record<string, z.ZodType>;

/** The API as OpenAPI 3.1, made of the very schemas that requests are checked with. */
export function openApiDocument(version: string): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "cardbatch",
      version,
      description: "Send images of bank cards, get what was read. Numbers are masked and encrypted everywhere.",
    },
    servers: [{ url: "/" }],
    security: [{ apiKey: [] }],
    paths: pathsOf(OPERATIONS),
    webhooks: {
      [WEBHOOK_TYPE]: {
        post: {
          summary: "An outcome is there",
          description:
            "Signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature). Told at least once; told again it " +
            "has the same webhook-id. Any answer of 2xx is taken for received.",
          requestBody: { required: true, content: jsonOf("Webhook") },
          responses: { "2XX": { description: "received" } },
        },
      },
    },
    components: {
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer", description: "an API key, as `cardbatch keys api add` made it" },
      },
      schemas: componentSchemas(),
    },
  };
}

function pathsOf(operations: readonly Operation[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const { path, method, id, summary, description, scope } = operation;
    paths[path] ??= {};
    paths[path][method] = {
      operationId: id,
      summary,
      ...(description === undefined ? {} : { description }),
      ...(scope === null ? { security: [] } : { "x-scope": scope }),
      parameters: parametersOf(operation),
      ...requestBodyOf(operation),
      responses: responsesOf(operation),
    };
  }
  return paths;
}

function parametersOf({ params, query, headers = {} }: Operation): Json[] {
  const of = (schema: z.ZodObject | undefined, place: "path" | "query") => {
    const { properties = {} } = schema === undefined ? {} : toJson(schema);
    return Object.entries(properties as Record<string, Json>).map(([name, { description, ...its }]) => ({
      name,
      in: place,
      required: place === "path",
      ...(description === undefined ? {} : { description }),
      schema: its,
    }));
  };
  const header = Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
  return [...of(params, "path"), ...of(query, "query"), ...header];
}

function requestBodyOf({ json, form }: Operation): Json {
  if (json === undefined) return {};
  const content: Record<string, Json> = { "application/json": { schema: toJson(json) } };
  if (form !== undefined) {
    const { properties = {} } = toJson(form);
    const image = { type: "string", contentMediaType: "application/octet-stream", description: "the file" };
    content["multipart/form-data"] = {
      schema: { type: "object", properties: { image, ...(properties as Json) }, required: ["image"] },
    };
  }
  return { requestBody: { required: true, content } };
}

function responsesOf({ answers, problems, scope }: Operation): Json {
  const responses: Record<string, Json> = {};
  for (const [status, [description, component]] of Object.entries(answers)) {
    responses[status] = { description, ...(component === null ? {} : { content: jsonOf(component) }) };
  }
  const codes = scope === null ? problems : [...COMMON_PROBLEMS, ...problems];
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes))
    byStatus.set(PROBLEMS[code][0], [...(byStatus.get(PROBLEMS[code][0]) ?? []), code]);
  for (const [status, its] of byStatus) {
    responses[status] = {
      description: its.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join("; "),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    };
  }
  return responses;
}

function jsonOf(component: string): Json {
  return { "application/json": { schema: { $ref: `#/components/schemas/${component}` } } };
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const { schemas: made } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}`, io: "input" });
  return Object.fromEntries(Object.entries(made).map(([id, schema]) => [id, withoutNames(schema as Json)]));
}

/** What is sent to us is told as it is sent, not as it is understood. */
function toJson(schema: z.ZodType): Json {
  return withoutNames(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Json);
}

/** A schema within a document is named by its place. */
function withoutNames({ $schema: _schema, $id: _id, ...rest }: Json): Json {
  return rest;
}
