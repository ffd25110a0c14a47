import { z } from "zod";
import {
  batchBodySchema,
  batchViewSchema,
  imageBodySchema,
  outcomesViewSchema,
  problemSchema,
  requestViewSchema,
  webhookBodySchema,
} from "./http-bodies.js";
import { imageJobSchema } from "./payload.js";
import { recordSchema } from "./record.js";

/** What other programs exchange with cardbatch, by the name of its file under `schemas/v1/`. */
const PAYLOADS = {
  "image-job": [imageJobSchema, "A job named `image` on the BullMQ queue card-images"],
  "image-body": [imageBodySchema, "POST /v1/images as JSON"],
  "batch-body": [batchBodySchema, "POST /v1/batches"],
  request: [requestViewSchema, "GET /v1/requests/{request}, and each of those that POST /v1/images answers with"],
  batch: [batchViewSchema, "GET /v1/batches/{batch}"],
  outcomes: [outcomesViewSchema, "GET /v1/batches/{batch}/outcomes"],
  webhook: [webhookBodySchema, "What a webhook tells"],
  problem: [problemSchema, "Every answer of the API that is not 2xx"],
  outcome: [recordSchema, "An outcome: a message on card-results and card-failures, and a line of the files of a run"],
} as const satisfies Record<string, readonly [z.ZodType, string]>;

/**
 * JSON Schemas (draft 2020-12) of the payloads, from the schemas that the application itself checks with. They allow members
 * that are not named: a later release may add some without another version. Two rules they cannot say: names and `ref` hold no
 * card number, and an unknown version is left in the queue.
 * @returns by file name
 */
export function jsonSchemas(): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(PAYLOADS).map(([name, [schema, description]]) => {
      const { $schema, ...body } = z.toJSONSchema(schema, { io: "input" });
      return [`${name}.json`, { $schema, $id: `urn:cardbatch:schema:v1:${name}`, title: name, description, ...body }];
    }),
  );
}
