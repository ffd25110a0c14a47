import { describe, expect, test } from "vitest";
import type { Batch } from "../../src/domain/batch.js";
import { ImageError } from "../../src/domain/errors.js";
import type { ImageKey } from "../../src/domain/image.js";
import { type ImageJob, imageJobSchema, type RequestId } from "../../src/domain/payload.js";
import { type FeedDeps, type FeedOptions, feed, type UnreadablePage } from "../../src/intake/feed.js";
import { type ImageSource, type Listed, unreadable } from "../../src/intake/source.js";

const BATCH: Batch = {
  name: "b",
  destination: null,
  sources: [],
  providers: ["local"],
  thresholds: { huawei: 0.9, shiliuai: 0.9, local: 0.9 },
  generation: "1",
  refreshSinceMs: 0,
  window: null,
  halt: null,
};
const KEY: ImageKey = `sha256:${"0".repeat(64)}`;
const image = (name: string, ref: string | null = null): Listed => ({
  path: `/in/${name}`,
  root: "/in",
  source: name,
  ref,
  problem: null,
  unsure: false,
});
const images = (count: number) => Array.from({ length: count }, (_, i) => image(`${i}.jpg`));

function sourceOf(all: Iterable<Listed>): ImageSource {
  return {
    kind: "folder",
    identity: "/in",
    folder: "/in",
    list: async function* () {
      yield* all;
    },
  };
}

/** A queue that nothing is taken from unless `work` says so, and what happened to it. */
function setUp(options: Partial<FeedOptions> = {}, more: Partial<FeedDeps> = {}) {
  const jobs: { request: RequestId; job: ImageJob }[] = [];
  const failed: UnreadablePage[] = [];
  const seen = { mostWaiting: 0, waits: 0, progress: [] as boolean[] };
  const done = new Set<string>();
  let waiting = 0;
  const deps: FeedDeps = {
    readFacts: async () => ({ key: KEY, pages: 1, isImage: true }),
    admit: async (pages) => pages.map(({ request }) => !done.has(request)),
    enqueue: async (added) => {
      jobs.push(...added);
      waiting += added.length;
      seen.mostWaiting = Math.max(seen.mostWaiting, waiting);
    },
    fail: async (page) => void failed.push(page),
    backlog: async () => waiting,
    digestName: (name) => `digest of ${name}`,
    sealReference: async () => null,
    onProgress: (progress) => void seen.progress.push(progress.waiting),
    sleep: async () => {
      seen.waits++;
      waiting = 0;
    },
    ...more,
  };
  const all: FeedOptions = {
    batch: BATCH,
    sources: [],
    roots: new Map(),
    priority: "batch",
    concurrency: 4,
    mostWaiting: 1000,
    limit: null,
    ...options,
  };
  return { jobs, failed, seen, done, run: () => feed(all, deps, new AbortController().signal) };
}

describe("feed", () => {
  test("puts each image on the queue, in the sources' order", async () => {
    const { run, jobs, seen } = setUp({ sources: [sourceOf(images(150)), sourceOf([image("z.jpg", "ref-z")])] });
    expect(await run()).toEqual({ listed: 151, enqueued: 151, ignored: 0, unchanged: 0, opened: 151, waiting: false });
    expect(jobs.map(({ job }) => ("path" in job.image ? job.image.path : null))).toEqual([
      ...images(150).map(({ path }) => path),
      "/in/z.jpg",
    ]);
    expect(new Set(jobs.map(({ request }) => request)).size).toBe(151);
    for (const { job } of jobs) expect(imageJobSchema.parse(job)).toEqual(job);
    expect(jobs.at(-1)?.job).toEqual({
      schema: 1,
      image: { path: "/in/z.jpg", key: KEY },
      batch: "b",
      ref: "ref-z",
    });
    expect(seen.waits).toBe(0);
  });

  test.each([
    [10, 100],
    [64, 200],
    [100, 500],
    [1, 5],
  ])("never more than %i jobs wait", async (mostWaiting, count) => {
    const { run, jobs, seen } = setUp({ sources: [sourceOf(images(count))], mostWaiting });
    await run();
    expect(jobs).toHaveLength(count);
    expect(seen.mostWaiting).toBeLessThanOrEqual(mostWaiting);
    expect(seen.progress).toContain(true);
    expect(seen.progress.at(-1)).toBe(false);
  });

  test("does not wait for room that nothing needs: all that there is waits already", async () => {
    const { run, seen } = setUp({ sources: [sourceOf(images(100))], mostWaiting: 100 });
    await run();
    expect(seen.waits).toBe(0);
  });

  test("passes over what has its outcome, without waiting for room", async () => {
    const first = setUp({ sources: [sourceOf(images(100))] });
    await first.run();
    const again = setUp({ sources: [sourceOf(images(101))] }, { backlog: async () => 0 });
    for (const { request } of first.jobs) again.done.add(request);
    expect(await again.run()).toMatchObject({ listed: 101, enqueued: 1 });
    const full = setUp({ sources: [sourceOf(images(100))] }, { backlog: async () => 1_000_000 });
    for (const { request } of first.jobs) full.done.add(request);
    expect(await full.run()).toMatchObject({ listed: 100, enqueued: 0 });
  });

  test.each([
    [1, 1],
    [64, 64],
    [70, 70],
    [130, 130],
    [500, 200],
  ])("--limit %i takes %i of 200 pages, and reads little more", async (limit, taken) => {
    let listed = 0;
    const counting = (count: number) =>
      sourceOf(
        (function* () {
          for (const each of images(count)) {
            listed++;
            yield each;
          }
        })(),
      );
    const { run, jobs } = setUp({ sources: [counting(130), counting(70)], limit });
    expect(await run()).toMatchObject({ listed: taken });
    expect(jobs).toHaveLength(taken);
    expect(listed).toBeLessThanOrEqual(taken + 2 * 4);
  });

  test("a page a request", async () => {
    const readFacts = async () => ({ key: KEY, pages: 3, isImage: true });
    const { run, jobs } = setUp({ sources: [sourceOf([image("a.tif"), image("b.tif")])] }, { readFacts });
    expect(await run()).toMatchObject({ listed: 6, enqueued: 6 });
    expect(jobs.map(({ job }) => job.image.page)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(new Set(jobs.map(({ request }) => request)).size).toBe(6);
  });

  test("what cannot be read gets its outcome at once, and the rest goes on", async () => {
    const bad = unreadable("/in", "list.csv:7", "image-reference", "the line names no file");
    const readFacts = async (path: string) => {
      if (path.endsWith("1.jpg")) throw new ImageError("image-empty", "the file has no bytes");
      return { key: KEY, pages: 1, isImage: true };
    };
    const { run, jobs, failed, done } = setUp({ sources: [sourceOf([...images(3), bad])] }, { readFacts });
    expect(await run()).toEqual({ listed: 4, enqueued: 2, ignored: 0, unchanged: 0, opened: 3, waiting: false });
    expect(jobs).toHaveLength(2);
    expect(failed.map(({ listed, failure }) => [listed.source, failure])).toEqual([
      ["1.jpg", { code: "image-empty", message: "the file has no bytes" }],
      ["list.csv:7", { code: "image-reference", message: "the line names no file" }],
    ]);
    for (const { request } of failed) done.add(request);
    await run();
    expect(failed).toHaveLength(2);
  });

  test("a reference is sealed where its name holds a number, and its request keeps its name", async () => {
    const sealReference = async ({ path }: { path: string }) => (path.includes("secret") ? "sealed-text" : null);
    const sources = [sourceOf([image("secret.jpg"), image("plain.jpg")])];
    const sealed = setUp({ sources }, { sealReference });
    const plain = setUp({ sources });
    await sealed.run();
    await plain.run();
    expect(sealed.jobs.map(({ job }) => job.image)).toEqual([
      { sealed: "sealed-text", key: KEY },
      { path: "/in/plain.jpg", key: KEY },
    ]);
    expect(sealed.jobs.map(({ request }) => request)).toEqual(plain.jobs.map(({ request }) => request));
  });

  test("names files under a root by the root", async () => {
    const { run, jobs } = setUp({ sources: [sourceOf([image("a.jpg")])], roots: new Map([["archive", "/in"]]) });
    await run();
    expect(jobs[0]?.job.image).toEqual({ root: "archive", path: "a.jpg", key: KEY });
  });

  test("reads on while a chunk is enqueued, and fails when that fails", async () => {
    let read = 0;
    const readFacts = async () => {
      read++;
      return { key: KEY, pages: 1, isImage: true };
    };
    let fail = (_error: Error) => {};
    const enqueue = () => new Promise<void>((_, reject) => (fail = reject));
    const { run } = setUp({ sources: [sourceOf(images(200))] }, { readFacts, enqueue });
    const fed = run();
    // Two chunks of 64, and what is read ahead of them.
    await expect.poll(() => read).toBeGreaterThanOrEqual(128);
    fail(new Error("no room"));
    await expect(fed).rejects.toThrow("no room");
  });

  test("stops on request while it waits for room", async () => {
    const stop = new Error("stopped");
    const { run, jobs } = setUp(
      { sources: [sourceOf(images(100))], mostWaiting: 10 },
      {
        sleep: async () => {
          throw stop;
        },
      },
    );
    await expect(run()).rejects.toThrow(stop);
    expect(jobs).toHaveLength(10);
  });
});
