/** One of the file reader's threads: reads and hashes one file after the other. */
import { parentPort } from "node:worker_threads";
import { toCardbatchError } from "../domain/errors.js";
import { factsOf } from "./file-facts.js";
import type { FileMessage, FileRequest } from "./file-reader-messages.js";
import { digestImage, openImage } from "./open-image.js";

/** What is only looked at is read into the same memory again and again, where it fits. @unit bytes */
const KEPT_BYTES = 1024 * 1024;

const kept = Buffer.allocUnsafeSlow(KEPT_BYTES);
const port = parentPort;

port?.on("message", (request: FileRequest) => {
  try {
    answer(request);
  } catch (error) {
    const { code, message } = toCardbatchError(error);
    send({ kind: "failed", id: request.id, code, message });
  }
});

function answer({ id, want, path, root }: FileRequest): void {
  if (want === "facts") {
    send({ kind: "facts", id, facts: factsOf(openImage(path, { root, into: kept })) });
  } else {
    const bytes = openImage(path, { root });
    send({ kind: "bytes", id, key: digestImage(bytes), bytes }, bytes.buffer as ArrayBuffer);
  }
}

function send(message: FileMessage, ...transferred: ArrayBuffer[]): void {
  port?.postMessage(message, transferred);
}
