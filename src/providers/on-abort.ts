import { setMaxListeners } from "node:events";
import { CancelledError } from "../domain/errors.js";

/**
 * Calls `listener` when `signal` aborts, unless taken back first. Many calls share one signal, which is no leak: the
 * warning about it is switched off.
 * @returns takes the listener back
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  setMaxListeners(0, signal);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/**
 * Stops waiting when `signal` says so; what is waited for goes on, for whoever else waits for it.
 * @throws CancelledError
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(new CancelledError()));
    if (signal.aborted) reject(new CancelledError());
    promise.then(resolve, reject).finally(stopListening);
  });
}
