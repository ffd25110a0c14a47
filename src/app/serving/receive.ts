import { createHash } from "node:crypto";
import type { ProviderName } from "../../domain/answer.js";
import type { ApiKey } from "../../domain/api-key.js";
import type { Batch } from "../../domain/batch.js";
import { WEBHOOK_FIELD } from "../../domain/card-vault.js";
import { ImageError } from "../../domain/errors.js";
import type { ImageKey } from "../../domain/image.js";
import { type ImageJob, PAYLOAD_SCHEMA, type Priority, referenceText, requestId } from "../../domain/payload.js";
import { Problem } from "../../domain/problem.js";
import { type Received, type RequestState, STAGED_ROOT } from "../../domain/received.js";
import { pagesOf } from "../../image/file-facts.js";
import { sniffFormat } from "../../image/sniff.js";
import { locate, sealReference } from "../../recognition/resolve-reference.js";
import type { StagedImage } from "../../staging/staging.js";
import { findTargetFault } from "../../webhooks/target.js";
import { readFacts } from "../feeding.js";
import { namedRoots } from "../readable-roots.js";
import type { BatchRefusal } from "./batch-of-key.js";
import type { ServingParts } from "./parts.js";

/** What a caller asks for, besides the image. */
export interface Wish {
  readonly page: number | null;
  readonly ref: string | null;
  readonly batch: string | null;
  readonly priority: Priority;
  readonly providers: readonly ProviderName[] | null;
  readonly webhook: string | null;
}

/** Where the image is. */
export type SentImage =
  | { readonly kind: "staged"; readonly staged: StagedImage }
  | { readonly kind: "reference"; readonly root: string; readonly path: string };

export interface ReceivedImage {
  readonly batch: string;
  /** One a page. */
  readonly requests: readonly RequestState[];
}

/**
 * Takes one image in, a request a page. When it returns, the requests are on the queue and stay there whatever happens.
 * A staged image that is not needed after all is removed.
 * @throws Problem
 */
export async function receiveImage(
  parts: ServingParts,
  key: ApiKey,
  image: SentImage,
  wish: Wish,
  idempotencyKey: string | null,
  signal: AbortSignal,
): Promise<ReceivedImage> {
  let isReceived = false;
  try {
    const webhook = await sealWebhook(parts, key, wish.webhook);
    const facts =
      image.kind === "staged" ? await stagedFacts(parts, image.staged) : await placeFacts(parts, image, signal);
    const batch = openForWork(await parts.batchOfKey(key, { name: wish.batch, providers: wish.providers }), wish.batch);
    const pages = await toReceived(parts, key, batch, facts, { ...wish, webhook });
    const fingerprint = digestOf([facts.key, image.kind === "staged" ? null : [image.root, image.path], wish]);
    const attempt = idempotencyKey === null ? null : { key: key.id, digest: digestOf(idempotencyKey), fingerprint };
    const known = await parts.received.receive(pages, attempt);
    if (known === null) {
      isReceived = true;
      await accept(parts, pages, batch);
      return { batch: batch.name, requests: await statesOf(parts, pages) };
    }
    if (known.fingerprint !== fingerprint) {
      throw new Problem("idempotency-conflict", "send another Idempotency-Key, or the very same request");
    }
    if (image.kind === "staged") await parts.staging.remove(image.staged.name);
    isReceived = true;
    const before = await parts.received.get(known.requests);
    // Whoever received them may have died before they were on the queue.
    await accept(parts, before);
    return { batch: before[0]?.batch ?? batch.name, requests: await statesOf(parts, before) };
  } catch (error) {
    if (image.kind === "staged" && !isReceived) await parts.staging.remove(image.staged.name).catch(() => {});
    throw error;
  }
}

/**
 * Puts received requests on the queue; twice is harmless.
 * @param opened the batch of all of them, where it is at hand
 */
export async function accept(
  { app, received }: ServingParts,
  pages: readonly Received[],
  opened: Batch | null = null,
): Promise<void> {
  for (const name of new Set(pages.map(({ batch }) => batch))) {
    const its = pages.filter(({ batch }) => batch === name);
    const batch = opened ?? (await app.batches.get(name));
    if (batch !== null) {
      const due = await app.batches.admit(batch, its);
      const jobs = its.filter((_, i) => due[i]).map((page) => ({ request: page.request, job: toJob(page) }));
      await app.images.add(jobs);
      app.emit({ type: "enqueued", count: jobs.length });
    }
    await received.accepted(its.map(({ request }) => request));
  }
}

function toJob({ image, imageKey, page, paged, batch, ref, priority }: Received): ImageJob {
  return {
    schema: PAYLOAD_SCHEMA,
    image: { ...image, key: imageKey, ...(paged ? { page } : {}) },
    batch,
    ...(ref === null ? {} : { ref }),
    ...(priority === "batch" ? {} : { priority }),
  };
}

interface ImageFacts {
  readonly key: ImageKey;
  readonly pages: number;
  readonly place: { readonly root: string; readonly path: string };
  readonly upload: string | null;
}

/** Only of a TIFF all bytes tell how many pages there are. */
async function stagedFacts({ staging }: ServingParts, { name, key, head }: StagedImage): Promise<ImageFacts> {
  const pages = sniffFormat(head) === "tiff" ? pagesOf(await staging.read(name)) : 1;
  return { key, pages, place: { root: STAGED_ROOT, path: name }, upload: name };
}

/** @throws Problem when no root has the name, or the image cannot be read there */
async function placeFacts(
  { app }: ServingParts,
  { root, path }: { readonly root: string; readonly path: string },
  signal: AbortSignal,
): Promise<ImageFacts> {
  const named = await namedRoots(app.config.roots ?? []);
  const found = locate({ root, path }, { named, folders: [] });
  const { key, pages, isImage } = await readFacts(found.path, found.root, signal, app);
  if (!isImage) throw new ImageError("image-unsupported", "the file is no picture");
  return { key, pages, place: { root, path }, upload: null };
}

async function toReceived(
  { app: { vault } }: ServingParts,
  key: ApiKey,
  batch: Batch,
  { key: imageKey, pages, place, upload }: ImageFacts,
  wish: Wish,
): Promise<Received[]> {
  const sealed = await sealReference(place, batch.name, vault);
  const numbers = wish.page === null ? Array.from({ length: pages }, (_, page) => page) : [wish.page];
  const receivedAt = new Date().toISOString();
  return numbers.map((page) => ({
    request: requestId(batch.name, referenceText(place, vault.digestName), page, wish.ref),
    key: key.id,
    batch: batch.name,
    page,
    ref: wish.ref,
    priority: wish.priority,
    receivedAt,
    imageKey,
    paged: pages > 1 || page > 0,
    image: sealed === null ? place : { sealed },
    upload,
    webhook: wish.webhook,
  }));
}

/** @throws Problem `webhook-refused` */
export async function sealWebhook(
  { app, policy }: ServingParts,
  { id }: Pick<ApiKey, "id">,
  url: string | null,
): Promise<string | null> {
  if (url === null) return null;
  const fault = findTargetFault(url, policy);
  if (fault !== null) throw new Problem("webhook-refused", `the webhook's address ${fault}`);
  return app.vault.sealText(url, { request: id, field: WEBHOOK_FIELD });
}

/** @throws Problem */
export function openForWork(batch: Batch | BatchRefusal, name: string | null): Batch {
  switch (batch) {
    case "taken":
      throw new Problem("conflict", `the batch ${name ?? ""} is not this key's; choose another name`);
    case "other-providers":
      throw new Problem("conflict", "the batch was made with other providers; leave them out, or choose another name");
    case "no-provider":
      throw new Problem("invalid", "name a provider: this server has none of its own");
  }
  if (batch.halt === "cancelled") throw new Problem("conflict", "the batch was cancelled; choose another name");
  return batch;
}

async function statesOf({ received }: ServingParts, pages: readonly Received[]): Promise<RequestState[]> {
  const states = await received.states(pages.map(({ request }) => request));
  return states.filter((state) => state !== null);
}

function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url");
}
