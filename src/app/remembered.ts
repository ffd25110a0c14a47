/** Asks again once what is known is older than that. @param keptMs milliseconds */
export function remembered<T>(ask: () => Promise<T>, keptMs: number): () => Promise<T> {
  let known: Promise<T> | null = null;
  let untilMs = 0;
  return () => {
    if (known === null || performance.now() > untilMs) {
      untilMs = performance.now() + keptMs;
      known = ask();
      known.catch(() => {
        known = null;
      });
    }
    return known;
  };
}
