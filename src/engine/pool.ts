/**
 * The engine as the rest of the application has it: a pool of worker threads, each with its own sessions.
 *
 * A thread is *starting* (loading its models), *idle*, *busy* with one read, or *gone*. A thread that dies rejects its
 * read with `engine-crashed` and is replaced by the next read that needs one. Reads beyond the threads wait in line;
 * a read that is aborted leaves the line at once, and when it has begun its answer is thrown away.
 */
import { availableParallelism } from "node:os";
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { CardEngine, EngineReading } from "../domain/card-engine.js";
import { CancelledError } from "../domain/errors.js";
import { type EngineError, engineError } from "./engine-error.js";
import type { ThreadMessage, ThreadOptions } from "./messages.js";

export interface EnginePoolOptions {
  /** How many threads. @default the cores this process may use */
  readonly threads?: number;
  /** The thread's script. @default `thread.js` beside this file */
  readonly threadUrl?: URL;
  /** Folder of the model files. @default the package's own `models/` */
  readonly modelsDir?: string;
}

interface Task {
  readonly image: Uint8Array;
  resolve(reading: EngineReading): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  ready: boolean;
  task: Task | null;
}

/** Opens the pool; threads start with the first reads. */
export function createEnginePool(options: EnginePoolOptions = {}): CardEngine {
  const most = Math.max(1, options.threads ?? availableParallelism());
  const url = options.threadUrl ?? new URL("./thread.js", import.meta.url);
  const workerData: ThreadOptions = options.modelsDir === undefined ? {} : { modelsDir: options.modelsDir };
  const threads = new Set<Thread>();
  const waiting: Task[] = [];
  let closed = false;

  function start(): void {
    // The environment is shared, not copied: native libraries see only the process's own.
    const thread: Thread = { worker: new Worker(url, { workerData, env: SHARE_ENV }), ready: false, task: null };
    threads.add(thread);
    thread.worker.on("message", (message: ThreadMessage) => hear(thread, message));
    thread.worker.on("error", (cause) => lose(thread, engineError("engine-crashed", "an engine thread died", cause)));
    thread.worker.on("exit", () => lose(thread, engineError("engine-crashed", "an engine thread stopped")));
  }

  function hear(thread: Thread, message: ThreadMessage): void {
    if (message.kind === "ready") {
      thread.ready = true;
    } else if (message.kind === "failed" && message.id === null) {
      lose(thread, fromThread(message.code, message.message));
    } else {
      const task = thread.task;
      thread.task = null;
      if (message.kind === "reading") task?.resolve(message.reading);
      else task?.reject(fromThread(message.code, message.message));
    }
    dispatch();
  }

  function lose(thread: Thread, error: EngineError): void {
    if (!threads.delete(thread)) return;
    // One that never got ready would die again: everybody who waits has to know.
    if (!thread.ready) for (const task of waiting.splice(0)) task.reject(error);
    thread.task?.reject(error);
    thread.task = null;
    void thread.worker.terminate();
    if (!closed) dispatch();
  }

  /** Gives waiting tasks to idle threads; starts a thread when there are more tasks than threads to come. */
  function dispatch(): void {
    for (const thread of threads) {
      if (!thread.ready || thread.task !== null) continue;
      const task = waiting.shift();
      if (task === undefined) return;
      thread.task = task;
      // A copy: the caller keeps its bytes.
      const image = Uint8Array.from(task.image);
      thread.worker.postMessage({ id: 0, image }, [image.buffer]);
    }
    const starting = [...threads].filter((thread) => !thread.ready).length;
    for (let missing = waiting.length - starting; missing > 0 && threads.size < most; missing--) start();
  }

  function read(image: Uint8Array, signal?: AbortSignal): Promise<EngineReading> {
    if (closed) return Promise.reject(engineError("engine-unavailable", "the engine is closed"));
    if (signal?.aborted === true) return Promise.reject(new CancelledError("the read was cancelled"));
    return new Promise((resolve, reject) => {
      const settle = (): void => signal?.removeEventListener("abort", abort);
      const task: Task = {
        image,
        resolve: (reading) => {
          settle();
          resolve(reading);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => {
        const place = waiting.indexOf(task);
        if (place >= 0) waiting.splice(place, 1);
        task.reject(new CancelledError("the read was cancelled"));
      };
      signal?.addEventListener("abort", abort, { once: true });
      waiting.push(task);
      dispatch();
    });
  }

  async function close(): Promise<void> {
    closed = true;
    const error = engineError("engine-unavailable", "the engine was closed");
    for (const task of waiting.splice(0)) task.reject(error);
    const all = [...threads];
    for (const thread of all) lose(thread, error);
    await Promise.all(all.map((thread) => thread.worker.terminate()));
  }

  return { read, close };
}

function fromThread(code: string, message: string): EngineError {
  const known = code === "engine-unavailable" || code === "engine-image" ? code : "engine-crashed";
  return engineError(known, message);
}
