import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { ProviderName } from "../domain/answer.js";
import {
  type BatchView,
  batchViewSchema,
  imageViewSchema,
  outcomesViewSchema,
  type RequestView,
  type RevealedOutcome,
  requestViewSchema,
  revealedSchema,
} from "../domain/http-bodies.js";
import type { Priority } from "../domain/payload.js";
import type { OutcomeRecord } from "../domain/record.js";
import { type CallHttp, createCaller, type HttpCall } from "./http-caller.js";

/** How long the server is asked to hold an answer back, at a time. @unit milliseconds */
const WAIT_MS = 20_000;
/** How often a batch is looked at that has no new outcome. @unit milliseconds */
const LOOK_MS = 1000;
const OUTCOMES_AT_A_TIME = 1000;

export interface ClientOptions {
  /** Where `cardbatch serve` listens, such as `https://cards.example`. */
  readonly baseUrl: string;
  /** As `cardbatch keys api add` made it. */
  readonly apiKey: string;
  /** Of one try. @default 30,000 @unit milliseconds */
  readonly timeoutMs?: number;
  /** How often a request is sent again after a broken connection, 429 or 5xx. @default 5 */
  readonly retries?: number;
  /** @default the platform's */
  readonly fetch?: typeof fetch;
}

/** An image that the server's machine has, below a root of its `CARDBATCH_ROOTS`. */
export interface StoredImage {
  readonly root: string;
  readonly path: string;
}

export interface ImageOptions {
  /** Your own id, given back with the outcome; at most 128 characters, and no card number. */
  readonly ref?: string;
  /** Counted from 0. @default every page, each a request of its own */
  readonly page?: number;
  /** @default one of the key's own, a day */
  readonly batch?: string;
  /** @default "interactive" */
  readonly priority?: Priority;
  /** Of several the next is asked in doubt. @default the server's */
  readonly provider?: ProviderName | readonly ProviderName[];
  /** Where the outcome is told. @default the key's */
  readonly webhook?: string;
  /** The same key and image are the same request, whenever and however often they are sent. @default a new one a call */
  readonly idempotencyKey?: string;
  /** How long to wait for the outcome; 60 s at most. @default 0 @unit milliseconds */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface BatchOptions {
  readonly batch: string;
  /** A folder with all below it, or the images; one of the two. */
  readonly source?: { readonly root: string; readonly path?: string };
  readonly images?: readonly (StoredImage & { readonly ref?: string })[];
  readonly priority?: Priority;
  readonly provider?: ProviderName | readonly ProviderName[];
  readonly webhook?: string;
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export type { BatchView, RequestView, RevealedOutcome };
export type ImageView = z.infer<typeof imageViewSchema>;

/**
 * Speaks to `cardbatch serve`. Every method repeats what may pass (429 as told by Retry-After, 5xx, broken connections) under one
 * Idempotency-Key, so that an image sent twice is one request.
 * @throws CardbatchClientError `http-refused` with the server's `problem`, `http-unavailable`
 */
export class CardbatchClient {
  readonly #call: CallHttp;

  constructor({ baseUrl, apiKey, timeoutMs = 30_000, retries = 5, fetch = globalThis.fetch }: ClientOptions) {
    this.#call = createCaller({ baseUrl, apiKey, timeoutMs, retries, fetch, random: Math.random });
  }

  /**
   * Sends an image to be read, or names one that the server can read itself.
   * @param image the file's bytes, or where it is
   */
  readImage(image: Uint8Array | StoredImage, options: ImageOptions = {}): Promise<ImageView> {
    const { idempotencyKey = randomUUID(), waitMs, signal, provider, ...wish } = options;
    const fields = { ...wish, provider: providerText(provider) };
    const body = image instanceof Uint8Array ? () => form(image, fields) : () => JSON.stringify({ image, ...fields });
    const headers = { "idempotency-key": idempotencyKey };
    return this.#call({ ...post("/v1/images", signal), body, headers, ...waiting(waitMs) }, imageViewSchema);
  }

  /** Where a request stands. @param options.waitMs how long the answer may be held back until it is done; 60 s at most */
  request(id: string, options: CallOptions & { readonly waitMs?: number } = {}): Promise<RequestView> {
    const path = `/v1/requests/${encodeURIComponent(id)}`;
    return this.#call({ method: "GET", path, signal: options.signal, ...waiting(options.waitMs) }, requestViewSchema);
  }

  /** A request's outcome, however long it takes. */
  async outcome(id: string, { signal }: CallOptions = {}): Promise<OutcomeRecord> {
    for (;;) {
      const { outcome } = await this.request(id, { waitMs: WAIT_MS, ...(signal === undefined ? {} : { signal }) });
      if (outcome !== null) return outcome;
      // A server that stops does not hold back its answer.
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  /** The outcome with `number.value` in the clear; recorded on the server with the reason. The key needs the scope `reveal`. */
  reveal(id: string, reason: string, { signal }: CallOptions = {}): Promise<RevealedOutcome> {
    const path = `/v1/requests/${encodeURIComponent(id)}/reveal`;
    const body = () => JSON.stringify({ reason });
    return this.#call({ ...post(path, signal), body, onlyOnce: true }, revealedSchema);
  }

  /** Has many stored images read; the same name with the same images goes on where it was. */
  createBatch({ signal, provider, ...wish }: BatchOptions): Promise<BatchView> {
    const body = () => JSON.stringify({ ...wish, provider: providerText(provider) });
    return this.#call({ ...post("/v1/batches", signal), body }, batchViewSchema);
  }

  /** Where a batch stands. */
  batch(name: string, { signal }: CallOptions = {}): Promise<BatchView> {
    return this.#call({ method: "GET", path: batchPath(name), signal }, batchViewSchema);
  }

  /** A batch's outcomes as they come, until it is complete or cancelled. */
  async *outcomes(name: string, options: CallOptions = {}): AsyncGenerator<OutcomeRecord> {
    const { signal } = options;
    let cursor = "0";
    for (;;) {
      const call: HttpCall = { method: "GET", path: `${batchPath(name)}/outcomes`, signal };
      const query = { cursor, limit: OUTCOMES_AT_A_TIME };
      const page = await this.#call({ ...call, query }, outcomesViewSchema);
      yield* page.outcomes;
      cursor = page.next;
      if (page.complete) return;
      if (page.more) continue;
      if (page.outcomes.length === 0 && (await this.batch(name, options)).state === "cancelled") return;
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  /** Has the failures of a batch tried again. @param options.codes only those */
  retryBatch(name: string, { codes, signal }: CallOptions & { readonly codes?: readonly string[] } = {}) {
    const body = () => JSON.stringify({ codes });
    return this.#call({ ...post(`${batchPath(name)}/retry`, signal), body }, retriedSchema);
  }

  pauseBatch(name: string, { signal }: CallOptions = {}): Promise<BatchView> {
    return this.#call(post(`${batchPath(name)}/pause`, signal), batchViewSchema);
  }

  resumeBatch(name: string, { signal }: CallOptions = {}): Promise<BatchView> {
    return this.#call(post(`${batchPath(name)}/resume`, signal), batchViewSchema);
  }

  cancelBatch(name: string, { signal }: CallOptions = {}): Promise<BatchView> {
    return this.#call(post(`${batchPath(name)}/cancel`, signal), batchViewSchema);
  }
}

const retriedSchema = batchViewSchema.extend({ retried: z.number().int(), underWay: z.number().int() });

function post(path: string, signal: AbortSignal | undefined): HttpCall {
  return { method: "POST", path, signal };
}

function waiting(waitMs: number | undefined): Pick<HttpCall, "query" | "waitMs"> {
  return waitMs === undefined ? {} : { query: { wait: `${waitMs}ms` }, waitMs };
}

function batchPath(name: string): string {
  return `/v1/batches/${encodeURIComponent(name)}`;
}

function providerText(provider: ImageOptions["provider"]): string | undefined {
  return provider === undefined ? undefined : [provider].flat().join(",");
}

function form(image: Uint8Array, fields: Readonly<Record<string, string | number | undefined>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) data.set(name, String(value));
  data.set("image", new Blob([Uint8Array.from(image)]), "image");
  return data;
}
