import { join } from "node:path";
import { z } from "zod";
import type { ProviderName } from "../../domain/answer.js";
import type { ApiKey } from "../../domain/api-key.js";
import { UsageError } from "../../domain/errors.js";
import { relativeInside } from "../../domain/paths.js";
import { PRIORITIES, refSchema } from "../../domain/payload.js";
import { Problem } from "../../domain/problem.js";
import { openSource } from "../../intake/open-source.js";
import type { ImageSource, Roots } from "../../intake/source.js";
import { feedBatch } from "../feeding.js";
import { foldersToKeep } from "../folder-names.js";
import { namedRoots } from "../readable-roots.js";
import { thresholdsOf } from "../thresholds.js";
import { type Going, keepGoing } from "./going.js";
import type { ServingParts } from "./parts.js";
import { openForWork, sealWebhook } from "./receive.js";

const LOOK_MS = 500;
/** Batches whose images are put on the queue at the same time. */
const AT_A_TIME = 4;

const sourceSchema = z.object({
  folder: z.object({ root: z.string(), path: z.string() }).nullable(),
  images: z.array(z.object({ root: z.string(), path: z.string(), ref: refSchema.nullable() })),
  priority: z.enum(PRIORITIES),
});

/** The images of a batch: a folder with all below it, or a list. */
export type BatchContent = z.infer<typeof sourceSchema>;

export interface BatchWish {
  readonly name: string;
  readonly content: BatchContent;
  readonly providers: readonly ProviderName[] | null;
  readonly webhook: string | null;
}

/**
 * Takes a batch in; its images are put on the queue from then on, whatever happens to this process. The same batch again goes on
 * where it was.
 * @throws Problem
 */
export async function receiveBatch(parts: ServingParts, key: ApiKey, wish: BatchWish): Promise<void> {
  const { app, apiBatches } = parts;
  const { name, content } = wish;
  const webhook = await sealWebhook(parts, key, wish.webhook);
  await sourcesOf(parts, content);
  const batch = openForWork(await parts.batchOfKey(key, { name, providers: wish.providers }), name);
  const cipher = app.vault.sealStaged(nameOfSource(name));
  const sealed = Buffer.concat([cipher.header, cipher.update(Buffer.from(JSON.stringify(content))), cipher.final()]);
  const digest = app.vault.digestName(JSON.stringify([content, batch.providers]));
  if ((await apiBatches.setSource({ name, sealed }, digest)) !== digest) {
    throw new Problem("conflict", "the batch was made of other images; choose another name");
  }
  if (webhook !== null) await apiBatches.setWebhook(name, webhook);
}

/** Puts the images of received batches on the queue, as there is room. Of several servers one does. */
export function feedBatches(parts: ServingParts): Going {
  const { app, apiBatches } = parts;
  const underWay = new Map<string, Promise<void>>();
  const onFault = (error: unknown) => app.emit({ type: "fault", where: "batch", error });

  const look = async (signal: AbortSignal) => {
    if (!(await app.presence.acquire("feeder"))) return;
    for (const name of await apiBatches.feeding()) {
      if (underWay.has(name) || underWay.size >= AT_A_TIME) continue;
      const feeding = feed(parts, name, signal)
        .catch((error: unknown) => {
          if (!signal.aborted) onFault(error);
        })
        .finally(() => underWay.delete(name));
      underWay.set(name, feeding);
    }
  };
  const looking = keepGoing(LOOK_MS, look, onFault);
  return {
    close: async () => {
      await looking.close();
      await Promise.all(underWay.values());
    },
  };
}

async function feed(parts: ServingParts, name: string, signal: AbortSignal): Promise<void> {
  const { app, apiBatches, options } = parts;
  const source = await apiBatches.source(name);
  const known = await app.batches.get(name);
  if (source === null || known === null || known.halt === "cancelled") return apiBatches.fed(name);
  const content = sourceSchema.parse(JSON.parse(app.vault.openStaged(source.sealed, nameOfSource(name)).toString()));
  const opened = await sourcesOf(parts, content);
  const { providers, destination } = known;
  const folders = await foldersToKeep(opened.sources, opened.roots, app.vault);
  const thresholds = thresholdsOf(app.config);
  const batch = await app.batches.open({ name, providers, destination, sources: folders, thresholds, refresh: false });
  const feeding = { backlog: options.backlog, limit: null, priority: content.priority, onProgress: () => {} };
  await feedBatch(app, batch, opened, feeding, signal);
  await app.batches.setFed(name, true);
  await apiBatches.fed(name);
}

function nameOfSource(batch: string): string {
  return `batch:${batch}`;
}

/** @throws Problem when a root has no such name, or a path leads out of it, or the folder is none */
async function sourcesOf(
  { app }: ServingParts,
  { folder, images }: BatchContent,
): Promise<{ sources: readonly ImageSource[]; roots: Roots }> {
  const roots = await namedRoots(app.config.roots ?? []);
  if (folder !== null) return { sources: [await folderSource(placeOf(roots, folder))], roots };
  for (const image of images) placeOf(roots, image);
  const sources = [...new Set(images.map(({ root }) => root))].map((name) => {
    const its = images.filter(({ root }) => root === name);
    return listSource(placeOf(roots, { root: name, path: "" }), its);
  });
  return { sources, roots };
}

function placeOf(roots: Roots, { root, path }: { readonly root: string; readonly path: string }): string {
  const folder = roots.get(root);
  if (folder === undefined) throw new Problem("invalid", "no root has the name that is given; see CARDBATCH_ROOTS");
  const place = path === "" ? folder : join(folder, path);
  if (path.includes("\0") || relativeInside(folder, place) === null) {
    throw new Problem("invalid", "a path leads out of its root");
  }
  return place;
}

async function folderSource(path: string): Promise<ImageSource> {
  try {
    const source = await openSource(path, { roots: new Map(), encoding: "utf-8" });
    if (source.kind === "folder") return source;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  throw new Problem("invalid", "source.path is no folder under its root");
}

function listSource(
  folder: string,
  images: readonly { readonly path: string; readonly ref: string | null }[],
): ImageSource {
  return {
    kind: "manifest",
    identity: folder,
    folder,
    list: async function* (_onIgnored, signal) {
      for (const { path, ref } of images) {
        signal.throwIfAborted();
        yield { path: join(folder, path), root: folder, source: path, ref, problem: null, unsure: false };
      }
    },
  };
}
