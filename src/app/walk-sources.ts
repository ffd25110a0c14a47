import { setTimeout as sleep } from "node:timers/promises";
import type { Admission, Batch } from "../domain/batch.js";
import { type FeedProgress, feed } from "../intake/feed.js";
import { FILES_AT_A_TIME, type OpenedSources, readFacts } from "./feeding.js";
import type { Reader } from "./reading.js";

/** Feeds with everything but the queue: pages are looked up where they would be admitted, and none is. */
export function walkSources(
  { vault, files, buckets }: Pick<Reader, "vault" | "files" | "buckets">,
  batch: Batch,
  { sources: { sources, roots }, limit }: { readonly sources: OpenedSources; readonly limit: number | null },
  look: (pages: readonly Admission[]) => Promise<void>,
  signal: AbortSignal,
): Promise<FeedProgress> {
  const nothing = async () => {};
  return feed(
    { batch, sources, roots, priority: "batch", concurrency: FILES_AT_A_TIME, mostWaiting: 1000, limit },
    {
      readFacts: (path, root, stop) => readFacts(path, root, stop, { files, buckets }),
      admit: async (pages) => {
        await look(pages);
        return pages.map(() => false);
      },
      enqueue: nothing,
      fail: nothing,
      backlog: async () => 0,
      // Without a keyring no request has been made of such a name.
      digestName: vault?.digestName ?? ((text) => text),
      sealReference: async () => null,
      onProgress: () => {},
      sleep: async (ms, stop) => void (await sleep(ms, undefined, { signal: stop })),
    },
    signal,
  );
}
