import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, opendir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inLetters } from "../domain/api-key.js";
import { CardbatchError, ImageError } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";

/** So much of an image is seen before it is decided whether it is taken at all. @unit bytes */
const HEAD_BYTES = 64;
/** So much is written at a time. @unit bytes */
const WRITE_BYTES = 256 * 1024;
const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY = 0o600;
const PART = ".part";
const NAME = /^[a-p]{32}(\.part)?$/;

export interface StagingDeps {
  /** Encrypts what is written under a name. */
  readonly seal: (name: string) => {
    readonly header: Buffer;
    update(chunk: Uint8Array): Buffer;
    final(): Buffer;
  };
  readonly unseal: (sealed: Buffer, name: string) => Buffer;
  readonly randomBytes?: (size: number) => Buffer;
}

export interface StageOptions {
  readonly maxBytes: number;
  /** Sees the beginning of the image; throws when it is not to be taken. */
  readonly accept: (head: Buffer) => void;
  readonly signal?: AbortSignal;
}

/** An image that is on disk, whatever happens. */
export interface StagedImage {
  readonly name: string;
  readonly key: ImageKey;
  readonly bytes: number;
  readonly head: Buffer;
}

/** A folder in which images wait, encrypted, for somebody to read them. Names are random; nothing a caller says is in them. */
export interface Staging {
  readonly folder: string;
  /**
   * Writes an image as it comes and returns once it is safe on disk. What fails leaves nothing behind.
   * @throws ImageError `image-empty`, `image-too-large`
   * @throws CardbatchError `storage-unavailable`, with the system's code in `details.system`
   */
  stage(chunks: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedImage>;
  read(name: string): Promise<Buffer>;
  /** Harmless where there is nothing. */
  remove(name: string): Promise<void>;
  /** Names of what has lain there for so long; those whose writing never ended with their ending. */
  olderThan(ms: number): AsyncIterable<string>;
  /** Writes and removes a file. @throws CardbatchError `storage-unavailable` */
  probe(): Promise<void>;
}

/** Opens the folder, which is made where there is none. @throws CardbatchError `storage-unavailable` */
export async function openStaging(folder: string, deps: StagingDeps): Promise<Staging> {
  await inStorage(() => mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER }));
  const newName = () => inLetters((deps.randomBytes ?? randomBytes)(16));
  const syncNames = together(() => syncFolder(folder));
  return {
    folder,
    stage: async (chunks, options) => {
      const name = newName();
      const part = join(folder, name + PART);
      try {
        const written = await writePart(part, chunks, deps.seal(name), options);
        await inStorage(() => rename(part, join(folder, name)));
        await inStorage(syncNames);
        return { name, ...written };
      } catch (error) {
        await rm(part, { force: true }).catch(() => {});
        throw error;
      }
    },
    read: async (name) => deps.unseal(await inStorage(() => readFile(join(folder, name))), name),
    remove: (name) => inStorage(() => rm(join(folder, name), { force: true })),
    olderThan: async function* (ms) {
      const before = Date.now() - ms;
      for await (const { name } of await inStorage(() => opendir(folder))) {
        if (!NAME.test(name)) continue;
        const found = await stat(join(folder, name)).catch(() => null);
        if (found !== null && found.mtimeMs < before) yield name;
      }
    },
    probe: async () => {
      const name = join(folder, `probe-${newName()}`);
      await inStorage(async () => {
        await writeFile(name, "", { mode: OWNER_ONLY });
        await rm(name);
      });
    },
  };
}

async function writePart(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  cipher: ReturnType<StagingDeps["seal"]>,
  { maxBytes, accept, signal }: StageOptions,
): Promise<Omit<StagedImage, "name">> {
  const file = await inStorage(() => open(path, "wx", OWNER_ONLY));
  const digest = createHash("sha256");
  let head = Buffer.alloc(0);
  let bytes = 0;
  let isAccepted = false;
  let waiting: Buffer[] = [cipher.header];
  let waitingBytes = 0;
  const write = async () => {
    const all = Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    await inStorage(() => file.writeFile(all));
  };
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      bytes += chunk.length;
      if (bytes > maxBytes) throw new ImageError("image-too-large", `at most ${maxBytes} bytes are taken`);
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
      if (!isAccepted && head.length === HEAD_BYTES) {
        accept(head);
        isAccepted = true;
      }
      digest.update(chunk);
      waiting.push(cipher.update(chunk));
      waitingBytes += chunk.length;
      if (waitingBytes >= WRITE_BYTES) await write();
    }
    if (bytes === 0) throw new ImageError("image-empty", "the image has no bytes");
    if (!isAccepted) accept(head);
    waiting.push(cipher.final());
    await write();
    await inStorage(() => file.datasync());
    return { key: `sha256:${digest.digest("hex")}`, bytes, head };
  } finally {
    await file.close();
  }
}

/** Those who ask while it is done share the next time that it is done. */
function together(act: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const start = () => {
    next = null;
    running = act().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (running === null) return start();
    next ??= running.catch(() => {}).then(start);
    return next;
  };
}

/** Makes a new name as lasting as the file's bytes are. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function inStorage<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const system = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new CardbatchError("storage-unavailable", `the staging folder cannot be used (${system})`, {
      details: { system },
    });
  }
}
