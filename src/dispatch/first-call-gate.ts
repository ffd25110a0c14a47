/**
 * Lets calls through one at a time until one has succeeded: a wrong key then costs one refused call, not one per worker
 * slot.
 */
export interface FirstCallGate {
  /** Runs `call`, alone while nothing has succeeded yet; its rejection leaves the gate as it was. */
  pass<T>(call: () => Promise<T>): Promise<T>;
  /** Takes back that a call has succeeded. */
  close(): void;
}

export function createFirstCallGate(): FirstCallGate {
  let proven = false;
  let tail: Promise<unknown> = Promise.resolve();
  return {
    pass: async (call) => {
      if (proven) return call();
      const before = tail;
      const mine = before.then(() => (proven ? null : call()));
      // Those behind wait for this call only while it runs alone, and whatever becomes of it.
      tail = mine.catch(() => {});
      const result = await mine;
      if (result === null) return call();
      proven = true;
      return result as Awaited<ReturnType<typeof call>>;
    },
    close: () => {
      proven = false;
    },
  };
}
