import { isAbsolute, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { relativeInside } from "../../src/domain/paths.js";
import type { ImageSource, Listed } from "../../src/intake/source.js";
import { collect } from "../helpers/collect.js";
import { openFilesIn } from "../helpers/open-files.js";

/** A source that is under test, over at least three images, and what it has to list. */
export interface OpenSubject {
  readonly source: ImageSource;
  /** The same place, opened by another spelling. */
  readonly sameSource: ImageSource;
  /** Another place. */
  readonly otherSource: ImageSource;
  /** The `source` of every image, in any order. */
  readonly names: readonly string[];
  /** Files that are there and are no images. */
  readonly ignored: number;
}

/** What every source does, whatever it is opened from. */
export function describeSource(title: string, open: () => Promise<OpenSubject>): void {
  describe(`contract of a source: ${title}`, () => {
    test("lists every image once, by its name within the source's folder, and counts what is none", async () => {
      const { source, names, ignored } = await open();
      let counted = 0;
      const all = await list(source, () => {
        counted++;
      });
      expect(all.map((listed) => listed.source).toSorted()).toEqual(names.toSorted());
      expect(counted).toBe(ignored);
      for (const { path, root, problem, source: name } of all) {
        expect(problem).toBeNull();
        expect(isAbsolute(path)).toBe(true);
        expect(relativeInside(root, path)).not.toBeNull();
        expect(resolve(source.folder, name)).toBe(path);
      }
    });

    test("lists in the same order each time", async () => {
      const { source } = await open();
      expect(await list(source)).toEqual(await list(source));
    });

    test("is the same source by any spelling, and another one elsewhere", async () => {
      const { source, sameSource, otherSource } = await open();
      expect(sameSource.identity).toBe(source.identity);
      expect(sameSource.folder).toBe(source.folder);
      expect(otherSource.identity).not.toBe(source.identity);
    });

    test("can be left after the first image, and holds nothing open then", async () => {
      const { source } = await open();
      const first = source.list(() => {}, new AbortController().signal)[Symbol.asyncIterator]();
      expect((await first.next()).done).toBe(false);
      await first.return?.();
      await expect.poll(() => openFilesIn(source.folder)).toEqual([]);
    });

    test("stops on request", async () => {
      const { source, names } = await open();
      const stop = new AbortController();
      const listing = (async () => {
        for await (const _ of source.list(() => {}, stop.signal)) stop.abort(new Error("stopped"));
      })();
      if (names.length > 1) await expect(listing).rejects.toThrow("stopped");
      else await listing;
      await expect.poll(() => openFilesIn(source.folder)).toEqual([]);
    });
  });
}

function list(source: ImageSource, onIgnored = () => {}): Promise<Listed[]> {
  return collect(source.list(onIgnored, new AbortController().signal));
}
