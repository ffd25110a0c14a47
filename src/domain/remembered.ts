/** Answers kept at a time; past that all are asked for again, rather than growing with names that never come back. */
const MOST_KEPT = 10_000;

/**
 * Asks again once an answer is older than `keptMs`. Who asks meanwhile shares it, also while it is under way; one that failed
 * is not kept.
 */
export function rememberedBy<T>(ask: (key: string) => Promise<T>, keptMs: number): (key: string) => Promise<T> {
  const known = new Map<string, { readonly untilMs: number; readonly answer: Promise<T> }>();
  return (key) => {
    const last = known.get(key);
    if (last !== undefined && performance.now() < last.untilMs) return last.answer;
    if (known.size >= MOST_KEPT) known.clear();
    const asked = { untilMs: performance.now() + keptMs, answer: ask(key) };
    known.set(key, asked);
    asked.answer.catch(() => {
      if (known.get(key) === asked) known.delete(key);
    });
    return asked.answer;
  };
}

/** The same for what has one answer. */
export function remembered<T>(ask: () => Promise<T>, keptMs: number): () => Promise<T> {
  const answer = rememberedBy(ask, keptMs);
  return () => answer("");
}
