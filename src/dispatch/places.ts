/** So many calls under way at a time; who is urgent goes before who is not. */
export interface Places {
  /** Runs `call` as soon as there is a place for it. */
  run<T>(isUrgent: boolean, call: () => Promise<T>): Promise<T>;
}

/** @param count at least 1 */
export function createPlaces(count: number): Places {
  let free = count;
  const urgent: (() => void)[] = [];
  const others: (() => void)[] = [];
  const leave = () => {
    const next = urgent.shift() ?? others.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    run: async (isUrgent, call) => {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => void (isUrgent ? urgent : others).push(resolve));
      try {
        return await call();
      } finally {
        leave();
      }
    },
  };
}
