/**
 * Does something every so often, without keeping the process for it. While Redis is away one time waits for it, and no more.
 * @returns ends it
 */
export function beat(everyMs: number, act: () => Promise<unknown>, onFault: (error: unknown) => void): () => void {
  let isActing = false;
  const timer = setInterval(() => {
    if (isActing) return;
    isActing = true;
    void act()
      .catch(onFault)
      .finally(() => {
        isActing = false;
      });
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
