import { setMaxListeners } from "node:events";

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
