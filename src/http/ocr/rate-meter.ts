/** Over how long the rate is taken. @unit milliseconds */
const WINDOW_MS = 5000;

/** How often something happened lately. */
export interface RateMeter {
  count(): void;
  perSecond(): number;
}

/** Two windows, the older one weighed by how much of it still counts. @param now @unit milliseconds, from anywhere */
export function createRateMeter(now: () => number): RateMeter {
  let startedAt = now();
  let before = 0;
  let current = 0;
  const turn = (): number => {
    const windows = Math.floor((now() - startedAt) / WINDOW_MS);
    if (windows > 0) {
      before = windows === 1 ? current : 0;
      current = 0;
      startedAt += windows * WINDOW_MS;
    }
    return (now() - startedAt) / WINDOW_MS;
  };
  return {
    count: () => {
      turn();
      current++;
    },
    perSecond: () => {
      const share = turn();
      return ((before * (1 - share) + current) * 1000) / WINDOW_MS;
    },
  };
}
