/**
 * Files read and hashed by threads. It is the larger part of the work that an image means to this process, and the thread
 * that everything else runs on would be held up by it; what is only looked at leaves no garbage, either.
 * Threads start with the first file, and read one file at a time without a trip to the pool that Node reads files in, which
 * takes longer than the reading itself.
 */
import { Worker } from "node:worker_threads";
import { CancelledError, CardbatchError, ImageError, isErrorCode } from "../domain/errors.js";
import type { FileFacts, ImageKey } from "../domain/image.js";
import type { FileMessage, FileRequest } from "./file-reader-messages.js";

export interface FileReaderOptions {
  /** How many threads: files that are read at a time. @default 2 */
  readonly threads?: number;
  /** The thread's script. @default the compiled `file-reader-thread.js` */
  readonly threadUrl?: URL;
}

/** See `openImage` for what both throw; CancelledError when the signal has fired. */
export interface FileReader {
  /** What the file's bytes tell, without the bytes. */
  look(path: string, root: string, signal: AbortSignal): Promise<FileFacts>;
  read(path: string, root: string, signal: AbortSignal): Promise<{ readonly bytes: Buffer; readonly key: ImageKey }>;
  close(): Promise<void>;
}

interface Asked {
  resolve(message: FileMessage): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  readonly asked: Map<number, Asked>;
}

/** What a thread makes is gone at once; images lie outside of its heap. */
const SMALL = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** Compiled, also where the rest is run from its source. */
const THREAD_URL = new URL("../../dist/image/file-reader-thread.js", import.meta.url);

export function createFileReader(options: FileReaderOptions = {}): FileReader {
  const { threads: most = 2, threadUrl = THREAD_URL } = options;
  const threads: Thread[] = [];
  let lastId = 0;

  function start(): Thread {
    const thread: Thread = { worker: new Worker(threadUrl, { resourceLimits: SMALL }), asked: new Map() };
    threads.push(thread);
    thread.worker.on("message", (message: FileMessage) => {
      const asked = thread.asked.get(message.id);
      thread.asked.delete(message.id);
      asked?.resolve(message);
    });
    thread.worker.on("error", () => lose(thread));
    thread.worker.on("exit", () => lose(thread));
    return thread;
  }

  function lose(thread: Thread): void {
    const at = threads.indexOf(thread);
    if (at >= 0) threads.splice(at, 1);
    for (const { reject } of thread.asked.values())
      reject(new CardbatchError("internal", "a thread that reads files died"));
    thread.asked.clear();
  }

  /** The one with the least to do; one more while there may be more and all have something to do. */
  function choose(): Thread {
    const least = threads.reduce<Thread | null>((a, b) => (a !== null && a.asked.size <= b.asked.size ? a : b), null);
    return least === null || (least.asked.size > 0 && threads.length < most) ? start() : least;
  }

  async function ask(want: FileRequest["want"], path: string, root: string, signal: AbortSignal): Promise<FileMessage> {
    throwIfAborted(signal);
    const thread = choose();
    const id = ++lastId;
    const request: FileRequest = { id, want, path, root };
    const message = await new Promise<FileMessage>((resolve, reject) => {
      thread.asked.set(id, { resolve, reject });
      thread.worker.postMessage(request);
    });
    throwIfAborted(signal);
    return message;
  }

  return {
    look: async (...file) => {
      const message = await ask("facts", ...file);
      if (message.kind !== "facts") throw errorOf(message);
      return message.facts;
    },
    read: async (...file) => {
      const message = await ask("bytes", ...file);
      if (message.kind !== "bytes") throw errorOf(message);
      const { key, bytes } = message;
      return { key, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    },
    close: async () => {
      const all = [...threads];
      for (const thread of all) lose(thread);
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new CancelledError();
}

function errorOf(message: FileMessage): CardbatchError {
  if (message.kind !== "failed" || !isErrorCode(message.code))
    return new CardbatchError("internal", "a file was not read");
  const { code, message: text } = message;
  return code.startsWith("image-") ? new ImageError(code, text) : new CardbatchError(code, text);
}
