import multipart, { type MultipartFile, type MultipartValue } from "@fastify/multipart";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Admission } from "../../app/serving/admission.js";
import type { ServingParts } from "../../app/serving/parts.js";
import { receiveImage, type SentImage, type Wish } from "../../app/serving/receive.js";
import { formSchema, imageBodySchema, waitQuerySchema, type wishSchema } from "../../domain/http-bodies.js";
import { Problem } from "../../domain/problem.js";
import { describeOther, sniffFormat } from "../../image/sniff.js";
import type { StagedImage } from "../../staging/staging.js";
import { callerOf } from "./authenticate.js";
import { parseWith } from "./problem.js";
import { toProblem } from "./to-problem.js";
import { viewRequest } from "./views.js";

const MAX_FIELD_BYTES = 16 * 1024;
const FORM_LIMITS = {
  files: 1,
  fields: 10,
  parts: 11,
  fieldNameSize: 100,
  fieldSize: MAX_FIELD_BYTES,
  headerPairs: 100,
};
/** What surrounds an image's bytes in a JSON body. @unit bytes */
const JSON_REST_BYTES = 64 * 1024;
/** Of JSON bodies at a time. @unit bytes */
const MOST_BODY_BYTES = 256 * 1024 * 1024;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export interface ImageRoutesDeps {
  readonly parts: ServingParts;
  /** Fires when the server is to stop: nobody is kept waiting then. */
  readonly stopping: AbortSignal;
  readonly admission: Admission;
}

/** `POST /v1/images`: one image, as a form, as JSON, or by its place. */
export async function addImageRoutes(server: FastifyInstance, deps: ImageRoutesDeps): Promise<void> {
  const { parts, stopping, admission } = deps;
  const { maxImageBytes } = parts.options;
  await server.register(multipart, { limits: { ...FORM_LIMITS, fileSize: maxImageBytes + 1 } });
  const bodyLimit = Math.ceil((maxImageBytes * 4) / 3) + JSON_REST_BYTES;
  const budget = createBodyBudget(MOST_BODY_BYTES);
  const onRequest = async (request: FastifyRequest, reply: FastifyReply) => {
    // A form's image goes to disk as it comes; all other bodies are held.
    if (request.isMultipart()) return;
    const announced = Number(request.headers["content-length"] ?? bodyLimit);
    const release = budget.take(Math.min(announced, bodyLimit));
    if (release === null) throw new Problem("unavailable", "too many images are being sent", { retryAfterS: 1 });
    reply.raw.once("close", release);
  };
  const options = { bodyLimit, config: { scope: "enqueue" }, onRequest } as const;
  server.post("/v1/images", options, async (request, reply) => {
    const { wait } = parseWith(waitQuerySchema, request.query, "query");
    const idempotencyKey = idempotencyKeyOf(request);
    const gone = goneSignal(reply);
    const { image, wish } = request.isMultipart()
      ? await readForm(request, parts, gone)
      : await readBody(request.body, parts, gone);
    const key = callerOf(request);
    try {
      await admission.assertRoom(key, wish.priority);
    } catch (error) {
      if (image.kind === "staged") await parts.staging.remove(image.staged.name);
      throw error;
    }
    const received = await receiveImage(parts, key, image, wish, idempotencyKey, stopping);
    const ids = received.requests.map((state) => state.request);
    const isDone = wait !== undefined && (await parts.waiters.wait(ids, wait, AbortSignal.any([stopping, gone])));
    const states = isDone ? await parts.received.states(ids) : received.requests;
    const requests = states.flatMap((state) => (state === null ? [] : [viewRequest(state)]));
    reply.header("location", requests[0]?.url ?? "");
    return reply.code(isDone ? 200 : 202).send({ batch: received.batch, requests });
  });
}

/** Fires when the caller has gone away (and when it was answered). */
export function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once("close", () => gone.abort());
  return gone.signal;
}

/** Bounds the bytes of bodies that are held at a time. `take` returns what gives them back; null: there is no room. */
function createBodyBudget(mostBytes: number): { take(bytes: number): (() => void) | null } {
  let held = 0;
  return {
    take: (bytes) => {
      if (held + bytes > mostBytes) return null;
      held += bytes;
      return () => {
        held -= bytes;
      };
    },
  };
}

function idempotencyKeyOf({ headers }: FastifyRequest): string | null {
  const given = headers["idempotency-key"];
  if (given === undefined) return null;
  if (typeof given === "string" && IDEMPOTENCY_KEY.test(given)) return given;
  throw new Problem("bad-request", "Idempotency-Key takes 1 to 255 visible ASCII characters, once");
}

/** Stages the file as it comes, wherever in the form it stands. */
async function readForm(
  request: FastifyRequest,
  parts: ServingParts,
  signal: AbortSignal,
): Promise<{ image: SentImage; wish: Wish }> {
  const fields: Record<string, unknown> = {};
  let staged: StagedImage | null = null;
  try {
    for await (const part of asForm(request.parts())) {
      if (part.type === "file") staged = await stageFile(part, parts, signal, staged);
      else fields[part.fieldname] = takeField(part, fields);
    }
    if (staged === null) throw new Problem("invalid", "the form has no file named image");
    return { image: { kind: "staged", staged }, wish: toWish(parseWith(formSchema, fields, "form")) };
  } catch (error) {
    if (staged !== null) await parts.staging.remove(staged.name);
    throw error;
  }
}

async function stageFile(
  part: MultipartFile,
  parts: ServingParts,
  signal: AbortSignal,
  before: StagedImage | null,
): Promise<StagedImage> {
  if (before !== null || part.fieldname !== "image") throw new Problem("invalid", "send one file, named image");
  return stage(asForm<Buffer>(part.file), parts, signal);
}

/** The parser's errors have no code; whatever it throws, the form is to blame. */
async function* asForm<T>(items: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* items;
  } catch (error) {
    throw toProblem(error) ?? new Problem("bad-request", "the multipart body is cut short or damaged");
  }
}

function takeField({ fieldname, value, valueTruncated }: MultipartValue, fields: object): unknown {
  if (valueTruncated) throw new Problem("too-large", "a field is too long");
  if (Object.hasOwn(fields, fieldname)) throw new Problem("invalid", "a field is there twice");
  return value;
}

async function readBody(
  body: unknown,
  parts: ServingParts,
  signal: AbortSignal,
): Promise<{ image: SentImage; wish: Wish }> {
  if (body === undefined || body === null) throw new Problem("bad-request", "the request has no body");
  const { image, ...rest } = parseWith(imageBodySchema, body, "body");
  const wish = toWish(rest);
  if (!("data" in image)) return { image: { kind: "reference", ...image }, wish };
  const bytes = Buffer.from(image.data, "base64");
  async function* chunks() {
    yield bytes;
  }
  return { image: { kind: "staged", staged: await stage(chunks(), parts, signal) }, wish };
}

function stage(chunks: AsyncIterable<Uint8Array>, { staging, options }: ServingParts, signal: AbortSignal) {
  return staging.stage(chunks, {
    maxBytes: options.maxImageBytes,
    signal,
    accept: (head) => {
      if (sniffFormat(head) === null) {
        throw new Problem("image-unsupported", `send JPEG, PNG, BMP, TIFF or WebP; this is ${describeOther(head)}`);
      }
    },
  });
}

function toWish({ page, ref, batch, priority, provider, webhook }: z.output<typeof wishSchema>): Wish {
  return {
    page: page ?? null,
    ref: ref ?? null,
    batch: batch ?? null,
    priority,
    providers: provider ?? null,
    webhook: webhook ?? null,
  };
}
