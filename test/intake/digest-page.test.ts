import { describe, expect, test } from "vitest";
import { CardbatchError, type ErrorCode, ImageError } from "../../src/domain/errors.js";
import type { FileFacts } from "../../src/domain/image.js";
import { type DigestDeps, digestAll } from "../../src/intake/digest-page.js";
import { type Listed, unreadable } from "../../src/intake/source.js";
import { collect } from "../helpers/collect.js";

const image = (name: string, unsure = false): Listed => ({
  path: `/in/${name}`,
  root: "/in",
  source: name,
  ref: null,
  problem: null,
  unsure,
});
const facts = (isImage = true): FileFacts => ({ key: `sha256:${"0".repeat(64)}`, pages: 1, isImage });
const never = () => new AbortController().signal;

function deps(readFacts: DigestDeps["readFacts"], more: Partial<DigestDeps> = {}): DigestDeps {
  return { readFacts, onIgnored: () => {}, sleep: async () => {}, concurrency: 4, ...more };
}

async function* listOf(...all: Listed[]) {
  yield* all;
}

describe("digestAll", () => {
  test("gives on in the source's order whatever is ready first", async () => {
    const pending = new Map<string, () => void>();
    const readFacts = (path: string) =>
      new Promise<FileFacts>((resolve) => {
        pending.set(path, () => resolve(facts()));
        // All four under way: the last is ready first.
        if (pending.size === 4) for (const ready of [...pending.values()].reverse()) ready();
      });
    const names = ["a", "b", "c", "d"];
    const all = await collect(digestAll(listOf(...names.map((name) => image(name))), deps(readFacts), never()));
    expect(all.map(({ listed }) => listed.source)).toEqual(names);
  });

  test("reads a bounded way ahead of what is taken, and so many files at a time", async () => {
    let listed = 0;
    let open = 0;
    let mostOpen = 0;
    const endless = (async function* () {
      for (;;) yield image(`${listed++}`);
    })();
    const readFacts = async () => {
      mostOpen = Math.max(mostOpen, ++open);
      await new Promise((later) => setImmediate(later));
      open--;
      return facts();
    };
    const digested = digestAll(endless, deps(readFacts, { concurrency: 3 }), never());
    for (let i = 0; i < 10; i++) await digested.next();
    await digested.return(undefined);
    expect(mostOpen).toBe(3);
    expect(listed).toBeLessThanOrEqual(10 + 2 * 3);
  });

  test("tries again where storage fails, each time after a longer wait", async () => {
    const waits: number[] = [];
    let tries = 0;
    const readFacts = async () => {
      if (++tries < 4) throw new CardbatchError("storage-unavailable", "reading the file failed with EMFILE");
      return facts();
    };
    const sleep = async (ms: number) => void waits.push(ms);
    const [digested] = await collect(digestAll(listOf(image("a")), deps(readFacts, { sleep }), never()));
    expect(digested?.problem).toBeNull();
    expect(waits).toEqual([500, 1000, 1500]);
  });

  test.each([
    ["an image that cannot be used, at once", new ImageError("image-corrupt", "cut"), "image-corrupt", 1],
    ["storage that fails for good", new CardbatchError("storage-unavailable", "EIO"), "storage-unavailable", 4],
    ["a fault of ours, without its text", new TypeError("secret"), "internal", 4],
  ])("tells of %s", async (_, error, code, tries) => {
    let tried = 0;
    const readFacts = async () => {
      tried++;
      throw error;
    };
    const all = await collect(digestAll(listOf(image("a"), image("b")), deps(readFacts), never()));
    expect(all.map(({ problem }) => problem?.code)).toEqual([code, code]);
    expect(JSON.stringify(all)).not.toContain("secret");
    expect(tried).toBe(2 * tries);
  });

  test("opens nothing that its listing knows to be unreadable", async () => {
    const listed = unreadable("/in", "pipe", "image-not-a-file", "it is a pipe");
    const readFacts = () => expect.unreachable("it was opened");
    const [digested] = await collect(digestAll(listOf(listed), deps(readFacts), never()));
    expect(digested).toEqual({ listed, key: null, pages: 1, problem: listed.problem });
  });

  test.each<[string, () => FileFacts | ErrorCode, boolean]>([
    ["no image by its first bytes", () => facts(false), true],
    ["empty", () => "image-empty", true],
    ["of a kind we don't know", () => "image-unsupported", true],
    ["an image after all", () => facts(), false],
    ["beyond reading", () => "image-unreadable", false],
  ])("a file that nothing but its bytes tells about: %s", async (_, read, isIgnored) => {
    let ignored = 0;
    const onIgnored = () => void ignored++;
    const readFacts = async () => {
      const result = read();
      if (typeof result === "string") throw new ImageError(result, "told");
      return result;
    };
    const all = await collect(digestAll(listOf(image("a", true)), deps(readFacts, { onIgnored }), never()));
    expect([all.length, ignored]).toEqual(isIgnored ? [0, 1] : [1, 0]);
    // By its name it would be one, and what is wrong with it is told.
    expect(await collect(digestAll(listOf(image("a")), deps(readFacts), never()))).toHaveLength(1);
  });

  test("stops on request, in the middle of a wait", async () => {
    const stop = new AbortController();
    const readFacts = async () => {
      throw new CardbatchError("storage-unavailable", "EIO");
    };
    const sleep = async (_: number, signal: AbortSignal) => {
      stop.abort(new Error("stopped"));
      signal.throwIfAborted();
    };
    const all = digestAll(listOf(image("a"), image("b")), deps(readFacts, { sleep }), stop.signal);
    await expect(collect(all)).rejects.toThrow("stopped");
  });
});
