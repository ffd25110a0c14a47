import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CardEngine } from "../../src/domain/card-engine.js";
import { CancelledError } from "../../src/domain/errors.js";
import { EngineError } from "../../src/engine/engine-error.js";
import { createEnginePool } from "../../src/engine/pool.js";

const REAL_THREAD = new URL("../../dist/engine/thread.js", import.meta.url);

/** Stands in for the real thread: echoes the first byte as a confidence, dies on 255, never answers 254. */
const FAKE = `
import { parentPort } from "node:worker_threads";
parentPort.on("message", ({ id, image }) => {
  if (image[0] === 255) throw new Error("died");
  if (image[0] === 254) return;
  const point = { x: 0, y: 0 };
  const number = { text: "0", confidence: image[0] / 255, keypoints: [point, point, point, point] };
  parentPort.postMessage({ kind: "reading", id, reading: { cards: [{ number, issueDate: null, expiryDate: null }] } });
});
parentPort.postMessage({ kind: "ready" });
`;

let folder: string;
let fake: URL;
let engine: CardEngine | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cardbatch-engine-"));
  await writeFile(join(folder, "fake.mjs"), FAKE);
  await writeFile(join(folder, "broken.mjs"), "throw new Error('no start');");
  fake = pathToFileURL(join(folder, "fake.mjs"));
});

afterAll(() => rm(folder, { recursive: true }));
afterEach(() => engine?.close());

const bytes = (first: number): Uint8Array => Uint8Array.of(first);
const confidenceOf = async (read: ReturnType<CardEngine["read"]>): Promise<number> =>
  Math.round(((await read).cards[0]?.number?.confidence ?? Number.NaN) * 255);

describe("createEnginePool", () => {
  it("answers every read, more of them than threads, and leaves the caller's bytes alone", async () => {
    engine = createEnginePool({ threads: 2, threadUrl: fake });
    const images = Array.from({ length: 20 }, (_, i) => bytes(i));
    const answers = await Promise.all(images.map((image) => confidenceOf((engine as CardEngine).read(image))));
    expect(answers).toEqual(images.map((_, i) => i));
    expect(images[7]?.[0]).toBe(7);
  });

  it("rejects the read of a thread that dies, and replaces the thread", async () => {
    engine = createEnginePool({ threads: 1, threadUrl: fake });
    const [dead, next] = await Promise.allSettled([engine.read(bytes(255)), engine.read(bytes(3))]);
    expect(dead).toMatchObject({ status: "rejected", reason: { code: "engine-crashed" } });
    expect(next.status).toBe("fulfilled");
    expect(await confidenceOf(engine.read(bytes(9)))).toBe(9);
  });

  it("gives up a read that is aborted, waiting or begun", async () => {
    engine = createEnginePool({ threads: 1, threadUrl: fake });
    const begun = new AbortController();
    const waiting = new AbortController();
    const reads = [engine.read(bytes(254), begun.signal), engine.read(bytes(1), waiting.signal)];
    waiting.abort();
    begun.abort();
    for (const read of await Promise.allSettled(reads)) {
      expect(read.status === "rejected" && read.reason).toBeInstanceOf(CancelledError);
    }
    await expect(engine.read(bytes(1), AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
  });

  it("rejects what it has when closed, and everything after", async () => {
    engine = createEnginePool({ threads: 1, threadUrl: fake });
    const read = engine.read(bytes(254));
    const closed = expect(read).rejects.toBeInstanceOf(EngineError);
    await engine.close();
    await closed;
    await expect(engine.read(bytes(1))).rejects.toMatchObject({ code: "engine-unavailable" });
  });

  it("does not start a thread over and over that cannot start", async () => {
    engine = createEnginePool({ threads: 2, threadUrl: pathToFileURL(join(folder, "broken.mjs")) });
    const reads = await Promise.allSettled([engine.read(bytes(1)), engine.read(bytes(2)), engine.read(bytes(3))]);
    expect(reads.map((read) => read.status)).toEqual(["rejected", "rejected", "rejected"]);
  });
});

describe("a real thread", () => {
  it("says what to do when its models are missing", async () => {
    engine = createEnginePool({ threads: 1, threadUrl: REAL_THREAD, modelsDir: folder });
    await expect(engine.read(bytes(1))).rejects.toMatchObject({ code: "engine-unavailable" });
  });

  it("reads a picture and refuses what is none", async () => {
    engine = createEnginePool({ threads: 1, threadUrl: REAL_THREAD });
    const white = await sharp({ create: { width: 64, height: 64, channels: 3, background: "white" } })
      .png()
      .toBuffer();
    expect(await engine.read(white)).toEqual({ cards: [] });
    await expect(engine.read(bytes(1))).rejects.toMatchObject({ code: "engine-image" });
  });

  it("leaves nothing in the home folder: the runtime's telemetry is off", async () => {
    const home = await mkdtemp(join(folder, "home-"));
    const script = `
      import { createEnginePool } from ${JSON.stringify(new URL("pool.js", REAL_THREAD).href)};
      const engine = createEnginePool({ threads: 1 });
      await engine.read(Uint8Array.of(1)).catch((error) => console.log(error.code));
      await engine.close();`;
    // Telemetry is never on where CI is set, so the child must not see it.
    const env = { PATH: process.env.PATH, HOME: home };
    await writeFile(join(folder, "reads.mjs"), script);
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "reads.mjs")], { env });
    expect(stdout).toBe("engine-image\n");
    expect(await readdir(home)).toEqual([]);
  });
});
