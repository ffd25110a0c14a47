export type Close = () => Promise<void> | void;

/** What is open and has to be closed. */
export interface Closers {
  /**
   * Has something closed by `close` at the latest.
   * @returns closes it now, once
   */
  readonly defer: (close: Close) => () => Promise<void>;
  /**
   * Closes everything, last opened first, and the rest also if one of them fails.
   * @throws what the first that failed threw
   */
  close(): Promise<void>;
}

export function createClosers(): Closers {
  const open: (() => Promise<void>)[] = [];
  return {
    defer: (close) => {
      const closeOnce = once(async () => {
        try {
          await close();
        } finally {
          // What runs for months opens and closes things all the time.
          const at = open.indexOf(closeOnce);
          if (at >= 0) open.splice(at, 1);
        }
      });
      open.push(closeOnce);
      return closeOnce;
    },
    close: async () => {
      const failures: unknown[] = [];
      for (let closeOnce = open.pop(); closeOnce !== undefined; closeOnce = open.pop()) {
        await closeOnce().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | null = null;
  return () => {
    closing ??= close();
    return closing;
  };
}
