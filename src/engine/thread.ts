/** One of the pool's threads: holds its own session set and reads one picture after the other. */
import { parentPort, workerData } from "node:worker_threads";
import sharp from "sharp";
import { readPicture } from "./engine.js";
import { EngineError } from "./engine-error.js";
import type { ReadRequest, ThreadMessage, ThreadOptions } from "./messages.js";
import { loadModels, type Models } from "./session.js";

const port = parentPort;
if (port !== null) void serve(workerData as ThreadOptions, (message) => port.postMessage(message));

async function serve(options: ThreadOptions, send: (message: ThreadMessage) => void): Promise<void> {
  // The pool's threads are the parallelism; libvips' own would fight them for the cores.
  sharp.concurrency(1);
  sharp.cache(false);
  let models: Models;
  try {
    models = await loadModels(options.modelsDir);
  } catch (error) {
    send(failure(null, error));
    parentPort?.close();
    return;
  }
  parentPort?.on("message", (request: ReadRequest) => {
    readPicture(models, request.image).then(
      (reading) => send({ kind: "reading", id: request.id, reading: plain(reading) }),
      (error: unknown) => send(failure(request.id, error)),
    );
  });
  send({ kind: "ready" });
}

/** Only what the port promises crosses the threads. */
function plain(reading: Awaited<ReturnType<typeof readPicture>>): typeof reading {
  const text = (t: (typeof reading.cards)[number]["number"]): typeof t =>
    t === null ? null : { text: t.text, confidence: t.confidence, keypoints: t.keypoints };
  return {
    cards: reading.cards.map(({ number, issueDate, expiryDate, ...others }) => ({
      number: text(number),
      issueDate: text(issueDate),
      expiryDate: text(expiryDate),
      ...others,
    })),
  };
}

function failure(id: number | null, error: unknown): ThreadMessage {
  const code = error instanceof EngineError ? error.code : "engine-crashed";
  const message = error instanceof Error ? error.message : "unknown failure";
  return { kind: "failed", id, code, message };
}
